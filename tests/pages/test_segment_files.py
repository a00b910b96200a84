"""Segments go out as files and come in again, in a real browser."""

import pytest

from segments.models import Segment
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
LOCAL = "name: Local\nconditions:\n  all_of:\n    - customer_field:\n        value: MA\n"
BAD = LOCAL.replace("MA", "[]") + "---\nname: Far\nkind: fast\n"


def fits(page):
    """Whether nothing of the page stands beyond the window's right edge."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_segment_is_exported_deleted_and_imported_again(width, browse, tmp_path):
    factories.customer(state="MA")
    page = browse("/segments/segment/", width)
    listed = page.url
    assert page.complaints == [], "list"
    page.get_by_role("link", name="Import …").click()
    page.get_by_label("Or its text").fill(BAD)
    page.get_by_role("button", name="See what it does").click()
    reasons = page.locator("#reasons li").all_text_contents()
    assert [reason.partition(":")[0] for reason in reasons] == ["Line 8"]
    assert fits(page)
    page.get_by_label("Or its text").fill(LOCAL)
    page.get_by_role("button", name="See what it does").click()
    assert "Customers who live in Massachusetts." in page.locator("#preview").text_content()
    assert not Segment.objects.exists()
    assert fits(page)
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("Imported: 1 new.").wait_for()

    assert page.complaints == [], "import"
    made = Segment.objects.get()
    page.goto(f"{listed}{made.pk}/change/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export", exact=True).click()
    assert download.value.suggested_filename == "Local.yaml"
    file = tmp_path / "Local.yaml"
    download.value.save_as(file)
    assert file.read_text() == LOCAL

    assert page.complaints == [], "segment"
    made.delete()
    page.goto(f"{listed}import/")
    page.get_by_label("A YAML file").set_input_files(file)
    page.get_by_role("button", name="See what it does").click()
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("Imported: 1 new.").wait_for()
    assert Segment.objects.get().name == "Local"
    assert page.complaints == []
