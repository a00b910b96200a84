"""The pages of segments in a real browser."""

import csv
from datetime import timedelta

import pytest
from django.utils import timezone

from loyaltyflow.store.models import Customer, StoreSettings
from segments import by_hand, refresh
from segments.conditions.all_of import AllOf
from segments.conditions.customer_field import CustomerField
from segments.models import Membership, Segment
from tests import factories
from tests.segments.tree import grow, segment
from workflows.models import Revision, Workflow
from workflows.nodes.add_to_segment import AddToSegment

pytestmark = pytest.mark.browser


@pytest.fixture
def people(transactional_db):
    StoreSettings.load()
    names = [("Anna", "Lee"), ("Ben", "Moss"), ("Cleo", "Park")]
    return [
        factories.customer(first_name=first, last_name=last, email=f"{first.lower()}@example.com", state="MA")
        for first, last in names
    ]


@pytest.fixture
def club(people):
    """A segment that is filled by hand, with Ben in it for ten days."""
    made = Segment.objects.create(name="Friends of the house", kind=Segment.Kind.STATIC)
    by_hand.put_in(made, Customer.objects.filter(first_name="Ben"), timezone.now() - timedelta(days=10), by="dana")
    return made


@pytest.fixture
def local(people):
    """An active segment of all three."""
    made = segment(grow(AllOf, CustomerField.objects.create(value="MA")), "Locals")
    refresh.build(made, StoreSettings.load().local(timezone.now()))
    return made


def address(one):
    return f"/segments/segment/{one.pk}/change/"


def members(one):
    return set(Membership.objects.open().filter(segment=one).values_list("customer__first_name", flat=True))


def test_the_page_shows_size_members_and_state(browse, local):
    page = browse("/segments/segment/")
    page.click("text=Locals")
    page.wait_for_load_state("networkidle")

    assert page.locator("#main h2").first.inner_text() == "Locals"
    assert page.locator(".lf-pill").first.inner_text().endswith("Active")
    assert "Customers who live in Massachusetts." in page.locator(".lf-sentence").inner_text()
    facts = [each.inner_text().split("\n")[:2] for each in page.locator(".lf-facts > div").all()]
    assert facts == [
        ["Members", "3"],
        ["In the past 7 days", "+3"],
        ["Kept up to date", "Each minute"],
        ["Used by", "0"],
    ]
    assert page.locator("#members tbody tr").count() == 3
    assert page.complaints == []


def test_the_charts_are_drawn_in_light_and_dark(browse, local):
    colours = "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
    for scheme in ("light", "dark"):
        page = browse(address(local), scheme=scheme)
        for chart in ("size", "moves"):
            assert page.locator(f"canvas[data-chart={chart}]").evaluate(colours) > 10, (scheme, chart)
        assert page.complaints == []
    page.click("text=Show as a table")
    assert page.locator("details[open] tbody tr").count() == 90
    assert page.locator("details[open] tbody tr").first.inner_text().split("\t")[1:] == ["3", "0", "3"]


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_no_page_of_a_segment_scrolls_sideways(browse, club, width):
    Segment.objects.update(name="A_name_without_spaces_" + "x" * 78, description="y" * 200)
    Customer.objects.filter(first_name="Ben").update(first_name="B" * 100, email="b" * 200 + "@example.com")
    home = browse(address(club) + "?find=anna&customer=anna", width=width)

    assert home.evaluate("document.documentElement.scrollWidth") <= width
    root = home.url.split("/segments/")[0]
    for other in ("/segments/segment/", "/segments/segment/add/", f"/segments/segment/{club.pk}/delete/"):
        home.goto(root + other)
        home.wait_for_load_state("networkidle")
        assert home.evaluate("document.documentElement.scrollWidth") <= width, other
    assert home.complaints == []


def test_a_segment_is_added_and_filled_by_hand(browse, people):
    page = browse("/segments/segment/add/")
    page.fill("[name=name]", "Tastings")
    page.check("text=Filled by hand")
    page.click("button:has-text('Save')")
    page.wait_for_load_state("networkidle")
    made = Segment.objects.get()
    assert page.url.endswith(address(made))

    page.fill("[name=find]", "anna")
    page.click("text=Find")
    page.wait_for_load_state("networkidle")
    page.click("[aria-label='Add Anna Lee']")
    page.wait_for_load_state("networkidle")

    assert members(made) == {"Anna"}
    assert "Anna Lee is now in “Tastings”." in page.locator("#main").inner_text()
    assert page.locator("#add").inner_text().count("✓ is in") == 1
    page.click("[aria-label='Take out Anna Lee']")
    page.wait_for_load_state("networkidle")
    assert members(made) == set()
    assert Membership.objects.count() == 1
    assert page.complaints == []


def test_a_file_fills_it_and_its_rejected_rows_come_back(browse, club, tmp_path):
    file = tmp_path / "tastings.csv"
    file.write_text("email\nanna@example.com\nben@example.com\nnobody@example.com\nanna@example.com\n")
    page = browse(address(club))
    page.click("text=With a file")
    page.set_input_files("[name=file]", file)
    page.click("text=Add these")
    page.wait_for_load_state("networkidle")

    assert members(club) == {"Anna", "Ben"}
    assert "tastings.csv: 1 added, 1 were in already, 2 rejected." in page.locator("#main").inner_text()
    with page.expect_download() as download:
        page.click("#add >> text=Rejected rows")
    rows = list(csv.reader(download.value.path().read_text().splitlines()))
    assert rows[1:] == [
        ["4", "No customer has the e-mail address “nobody@example.com”.", "nobody@example.com"],
        ["5", "Line 2 names the same customer.", "anna@example.com"],
    ]
    page.set_input_files("[name=file]", file)
    page.click("text=Take these out")
    page.wait_for_load_state("networkidle")
    assert members(club) == set()
    assert page.complaints == []


def test_members_are_searched_and_exported(browse, local):
    page = browse(address(local))
    page.fill("[name=member]", "park")
    page.click("#members >> text=Search")
    page.wait_for_load_state("networkidle")
    assert [row.split("\n")[0] for row in page.locator("#members tbody tr").all_inner_texts()] == ["Cleo Park"]

    with page.expect_download() as download:
        page.click("text=Export 3 as CSV")
    rows = list(csv.reader(download.value.path().read_text().splitlines()))
    assert rows[0] == ["email", "phone", "first_name", "last_name", "joined_at"]
    assert {row[0] for row in rows[1:]} == {"anna@example.com", "ben@example.com", "cleo@example.com"}
    assert page.complaints == []


def test_why_is_answered_with_the_values_that_were_seen(browse, local):
    page = browse(address(local))
    page.fill("[name=customer]", "Cleo Park")
    page.click("text=Explain")
    page.wait_for_load_state("networkidle")

    answer = page.locator(".lf-answer").inner_text()
    assert "Cleo Park is in it." in answer
    assert "Lives in Massachusetts" in answer
    assert "State: MA" in answer
    assert page.complaints == []


def test_what_is_used_is_not_deleted_and_what_is_not_is_archived(browse, club):
    workflow = Workflow.objects.create(name="Thank you")
    step = AddToSegment.objects.create(revision=Revision.objects.create(workflow=workflow), segment=club)
    page = browse(address(club))
    assert page.locator("button:has-text('Archive')").count() == 0
    assert "Thank you" in page.locator("#uses").inner_text()
    page.click("text=Delete …")
    page.wait_for_load_state("networkidle")
    assert "is used, so it cannot be deleted." in page.locator("[role=alert]").inner_text()
    assert page.locator("text=Delete it").count() == 0

    step.delete()
    page.click("text=Back to the segment")
    page.click("button:has-text('Archive')")
    page.wait_for_load_state("networkidle")
    assert "It is archived." in page.locator("#main").inner_text()
    club.refresh_from_db()
    assert (club.archived_at is not None, members(club)) == (True, {"Ben"})
    page.click("text=Bring it back")
    page.wait_for_load_state("networkidle")
    page.click("text=Delete …")
    page.wait_for_load_state("networkidle")
    assert "1 time that a customer was or is in it (1 now)" in page.locator("#main").inner_text()
    page.click("text=Delete it")
    page.wait_for_load_state("networkidle")
    assert page.url.endswith("/segments/segment/")
    assert not Segment.objects.exists()
    assert page.complaints == []


def test_two_people_change_the_name(browse, club):
    first, second = browse(address(club)), browse(address(club))
    for page, name in ((first, "Tastings"), (second, "Regulars")):
        page.click("text=Change the name or the description")
        page.fill("#id_name", name)
        page.click("#name button:has-text('Save')")
        page.wait_for_load_state("networkidle")

    said = second.locator("#name [role=alert]").inner_text()
    assert "It now says: “Tastings”" in said
    assert second.input_value("#id_name") == "Regulars"
    assert Segment.objects.get().name == "Tastings"
    second.click("#name button:has-text('Save')")
    second.wait_for_load_state("networkidle")
    assert Segment.objects.get().name == "Regulars"
    assert first.complaints == []
