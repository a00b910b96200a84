"""The segment's own page: its figures, its members, its name, and what is done with the whole segment."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyaltyflow.store.models import Customer, StoreSettings
from segments import by_hand, history, refresh
from segments.conditions.all_of import AllOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.in_segment import InSegment
from segments.conditions.made_purchase import MadePurchase
from segments.models import Membership, Segment, Upload
from tests import factories
from tests.staff import signed_in
from workflows.models import Revision, Workflow
from workflows.nodes.add_to_segment import AddToSegment

from .tree import grow, segment

pytestmark = pytest.mark.django_db
NEW_YORK = ZoneInfo("America/New_York")
LIST = "/segments/segment/"


@pytest.fixture
def staff() -> Client:
    StoreSettings.load()
    client = Client()
    client.force_login(User.objects.create_superuser("dana"))
    return client


@pytest.fixture
def club():
    return Segment.objects.create(name="Club", kind=Segment.Kind.STATIC)


def page(one, **query):
    return reverse("admin:segments_segment_change", args=[one.pk], query=query)


def at(one, name, *more):
    return reverse(f"admin:segments_segment_{name}", args=[one.pk, *more])


def read(client, one, **query):
    answer = client.get(page(one, **query))
    assert answer.status_code == 200
    return answer.content.decode()


def press(client, one, state):
    """What the page says after one of the buttons in its head."""
    return client.post(at(one, "become"), {"state": state}, follow=True).content.decode()


def stay(one, joined, left=None):
    who = factories.customer()
    return Membership.objects.create(segment=one, customer=who, joined_at=joined, left_at=left)


# How many on each day


def test_days_are_those_of_the_stores_calendar_when_the_clock_is_changed(club):
    now = datetime(2026, 11, 3, 12, tzinfo=NEW_YORK)
    clock_back = datetime(2026, 11, 1, tzinfo=NEW_YORK)  # a day of 25 hours
    stay(club, clock_back - timedelta(seconds=1))
    stay(club, clock_back, datetime(2026, 11, 2, 5, tzinfo=UTC))  # midnight that ends it
    stay(club, datetime(2026, 11, 2, 4, 59, 59, tzinfo=UTC))  # its last second
    stay(club, datetime(2026, 10, 1, tzinfo=UTC))
    stay(club, datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC))
    Segment.objects.update(members_now=3)
    club.refresh_from_db()

    found = history.days(club, 4, now)

    assert [(each.day, each.entered, each.left, each.size) for each in found] == [
        (date(2026, 10, 31), 1, 0, 2),
        (date(2026, 11, 1), 2, 0, 4),
        (date(2026, 11, 2), 0, 1, 3),
        (date(2026, 11, 3), 0, 0, 3),
    ]


def test_a_day_on_which_the_clock_goes_forward_has_23_hours(club):
    now = datetime(2026, 3, 9, 12, tzinfo=NEW_YORK)
    stay(club, datetime(2026, 3, 8, 4, 59, 59, tzinfo=UTC))
    stay(club, datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 3, 9, 3, 59, 59, tzinfo=UTC))
    stay(club, datetime(2026, 3, 9, 4, tzinfo=UTC))
    club.members_now = 2

    found = history.days(club, 3, now)

    assert [(each.entered, each.left, each.size) for each in found] == [(1, 0, 1), (1, 1, 1), (1, 0, 2)]


def test_the_sizes_agree_with_a_count_of_each_day(club):
    now = datetime(2026, 11, 23, 12, tzinfo=NEW_YORK)
    for number in range(40):
        joined = now - timedelta(hours=37 * number % 900)
        stay(club, joined, joined + timedelta(hours=200) if number % 3 and number * 37 % 900 > 200 else None)
    club.members_now = club.memberships.open().count()

    for each in history.days(club, 30, now):
        end = datetime.combine(each.day + timedelta(days=1), datetime.min.time(), tzinfo=NEW_YORK)
        assert each.size == club.memberships.at(end - timedelta(microseconds=1)).count(), each


def test_one_day_that_dwarfs_the_others_is_told_instead_of_drawn(staff, club):
    now = timezone.now()
    by_hand.put_in(club, Customer.objects.filter(pk__in=[factories.customer().pk for _ in range(30)]), now)
    for ago in (10, 20):
        stay(club, now - timedelta(days=ago))

    context = staff.get(page(club)).context

    assert context["charts"]["moves"]["top"] == 1
    assert [(each.entered, each.left) for each in context["charts"]["beyond"]] == [(30, 0)]
    assert sum(context["charts"]["moves"]["entered"]) == 32


# The page


def test_the_page_says_who_is_in_and_why(staff):
    anna = factories.customer(first_name="Anna", email="anna@example.com", state="MA")
    factories.customer(first_name="Ben", state="NH")
    made = segment(grow(AllOf, CustomerField.objects.create(value="MA"), MadePurchase.objects.create()), "Local")
    factories.order(anna, timezone.now() - timedelta(days=3))
    refresh.build(made, StoreSettings.load().local(timezone.now()))

    context = staff.get(page(made, customer="Anna@Example.com")).context
    text = read(staff, made, customer="Anna@Example.com")

    assert "Customers who live in <b>Massachusetts</b> and made <b>at least 1</b> purchase." in text
    assert (context["segment"].members_now, context["share"], context["week"]["entered"]) == (1, 0.5, 1)
    assert "Anna</a> is in it." in text
    assert [each["holds"] for each in context["reasons"]] == [True, True]
    assert "is not in it." in read(staff, made, customer="ben")
    assert "No customer has “nobody” as name, e-mail address or phone number." in read(staff, made, customer="nobody")


def test_several_customers_of_one_name_are_there_to_choose_from(staff, club):
    people = [factories.customer(first_name="Anna", last_name=name) for name in ("Lee", "Moss")]

    text = read(staff, club, customer="anna")

    assert all(f"customer={who.pk}#why" in text for who in people)
    assert "Anna Moss</a> is not in it." in read(staff, club, customer=str(people[1].pk))


def test_a_segment_that_is_off_says_how_many_it_would_hold(staff):
    factories.customer(state="MA")
    made = segment(grow(AllOf, CustomerField.objects.create(value="MA")), "Local", is_active=False)

    assert "1 customer meets it now" in read(staff, made)
    assert "The members will stand here once it is active." in read(staff, made)


def test_the_page_takes_as_many_statements_for_two_members_as_for_sixty(staff, club):
    def statements(count):
        people = Customer.objects.bulk_create(Customer(email=f"{count}.{n}@example.com") for n in range(count))
        by_hand.put_in(club, Customer.objects.filter(pk__in=[who.pk for who in people]), timezone.now())
        with CaptureQueriesContext(connection) as captured:
            read(staff, club, customer="example", find="example", member="example")
        return len(captured)

    read(staff, club)
    assert statements(2) == statements(60)


def test_members_are_searched_and_turned_over(staff, club):
    now = timezone.now()
    people = [
        factories.customer(first_name=f"Anna{n:02}", last_name="Lee", email=f"a{n}@example.com") for n in range(27)
    ]
    factories.customer(first_name="Anna99")
    ben = factories.customer(first_name="Ben", phone="+16175550101")
    for number, who in enumerate([*people, ben]):
        by_hand.put_in(club, Customer.objects.filter(pk=who.pk), now - timedelta(minutes=number))

    def names(**query):
        return [stay.customer.first_name for stay in staff.get(page(club, **query)).context["stays"]]

    assert names() == [f"Anna{n:02}" for n in range(25)]
    assert names(members="2") == ["Anna25", "Anna26", "Ben"]
    assert names(member="anna lee")[:2] == ["Anna00", "Anna01"]
    assert names(member="lee", members="2") == ["Anna25", "Anna26"]
    assert names(member="(617) 555-0101") == ["Ben"]
    assert names(member="A3@EXAMPLE.com") == ["Anna03"]
    assert names(member="Anna99") == []
    assert names(members="'; drop") == names()


# Its name


def test_the_name_and_the_description_are_changed(staff, club):
    seen = staff.get(page(club)).context["form"].initial["seen"]

    staff.post(page(club), {"name": "Friends", "description": "Of the shop", "seen": seen})

    club.refresh_from_db()
    assert (club.name, club.description) == ("Friends", "Of the shop")


def test_who_changes_the_name_second_is_told_and_nothing_is_lost(staff, club):
    seen = staff.get(page(club)).context["form"].initial["seen"]
    staff.post(page(club), {"name": "Friends", "description": "", "seen": seen})

    second = staff.post(page(club), {"name": "Regulars", "description": "Mine", "seen": seen})
    text = second.content.decode()

    assert second.status_code == 409
    assert "dana changed it at" in text
    assert "It now says: “Friends”, without a description. Yours is not saved" in text
    assert 'value="Regulars"' in text
    assert "Mine</textarea>" in text
    assert Segment.objects.get().name == "Friends"
    again = second.context["form"].data["seen"]
    assert staff.post(page(club), {"name": "Regulars", "description": "Mine", "seen": again}).status_code == 302
    assert Segment.objects.get().name == "Regulars"


def test_a_name_that_another_segment_has_is_refused(staff, club):
    segment(name="Taken")
    seen = staff.get(page(club)).context["form"].initial["seen"]

    answer = staff.post(page(club), {"name": "Taken", "description": "", "seen": seen})

    assert "Segment with this Name already exists." in answer.content.decode()
    assert "Club" in Segment.objects.values_list("name", flat=True)


# Members by hand


def test_of_a_list_kept_by_hand_no_conditions_are_explained(staff, club):
    assert "It says since when they are in it, and who or what put them in." in read(staff, club)


def test_a_customer_is_found_put_in_and_taken_out(staff, club):
    who = factories.customer(first_name="Anna", last_name="Lee")

    assert f'value="{who.pk}"' in read(staff, club, find="anna lee")
    said = staff.post(at(club, "members"), {"customer": who.pk}, follow=True).content.decode()
    assert "Anna Lee is now in “Club”." in said
    assert "put in by dana" in read(staff, club, customer="anna")
    assert "✓ is in" in read(staff, club, find="anna lee")
    again = staff.post(at(club, "members"), {"customer": who.pk}, follow=True).content.decode()
    assert "Anna Lee was in already: “Club”." in again
    assert Membership.objects.count() == 1

    staff.post(at(club, "members"), {"customer": who.pk, "way": "out"})
    club.refresh_from_db()
    assert (Membership.objects.open().count(), club.members_now) == (0, 0)
    assert [each.properties["by"] for each in who.events.all()] == ["dana", "dana"]


def test_a_segment_that_fills_itself_takes_nobody_by_hand(staff):
    made = segment(grow(AllOf))
    who = factories.customer()

    said = staff.post(at(made, "members"), {"customer": who.pk}, follow=True).content.decode()

    assert "is kept up to date by its conditions. Choose a segment that is filled by hand" in said
    assert not Membership.objects.exists()


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", ""])
def test_the_way_back_never_leaves_the_site(back, staff, club):
    who = factories.customer()

    answer = staff.post(at(club, "members"), {"customer": who.pk, "back": back})

    assert answer.url == page(club)


def test_a_file_is_reported_with_its_rejected_rows(staff, club):
    factories.customer(email="anna@example.com")
    file = SimpleUploadedFile("vips.csv", b"anna@example.com\nnobody@example.com\n", "text/csv")

    said = staff.post(at(club, "upload"), {"file": file, "way": "in"}, follow=True).content.decode()

    done = Upload.objects.get()
    assert "vips.csv: 1 added, 0 were in already, 1 rejected." in said
    rejected = staff.get(at(club, "rejected", done.pk))
    rows = list(csv.reader(io.StringIO(b"".join(rejected.streaming_content).decode())))
    assert rows == [
        ["line", "reason", "email"],
        ["2", "No customer has the e-mail address “nobody@example.com”.", "nobody@example.com"],
    ]
    other = Segment.objects.create(name="Other", kind=Segment.Kind.STATIC)
    assert staff.get(at(other, "rejected", done.pk)).status_code == 404


def test_a_file_of_no_use_is_told(staff, club):
    assert "No file was chosen" in staff.post(at(club, "upload"), {}, follow=True).content.decode()
    file = SimpleUploadedFile("sheet.xlsx", b"PK\x03\x04\x00\x00")
    assert "This is not a CSV file" in staff.post(at(club, "upload"), {"file": file}, follow=True).content.decode()
    assert not Upload.objects.exists()


def test_members_are_exported_as_csv_without_formulas(staff, club):
    now = datetime(2026, 11, 23, 19, 14, tzinfo=UTC)
    anna = factories.customer(
        first_name='=HYPERLINK("http://example.com")',
        last_name="Lee, Jr",
        email="anna@example.com",
        phone="+16175550101",
    )
    by_hand.put_in(club, Customer.objects.filter(pk=anna.pk), now)
    stay(club, now, now)

    answer = staff.get(at(club, "export"))
    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))

    assert rows == [
        ["email", "phone", "first_name", "last_name", "joined_at"],
        [
            "anna@example.com",
            "+16175550101",
            '\'=HYPERLINK("http://example.com")',
            "Lee, Jr",
            "2026-11-23T14:14:00-05:00",
        ],
    ]
    assert answer["Content-Disposition"].startswith('attachment; filename="club-')


def test_who_may_not_see_customers_sees_figures_only(club):
    StoreSettings.load()
    who = factories.customer(first_name="Zoe")
    by_hand.put_in(club, Customer.objects.all(), timezone.now())
    upload = Upload.objects.create(segment=club, file_name="x.csv", at=timezone.now())
    client = signed_in("view_segment", "change_segment")

    assert "Zoe" not in read(client, club, member="Zoe", find="Zoe", customer="Zoe")
    assert client.get(at(club, "export")).status_code == 403
    assert client.get(at(club, "rejected", upload.pk)).status_code == 403
    assert client.post(at(club, "members"), {"customer": who.pk, "way": "out"}).status_code == 403
    assert client.post(at(club, "upload"), {}).status_code == 403
    assert Membership.objects.open().count() == 1


def test_who_may_only_look_changes_nothing(club):
    StoreSettings.load()
    who = factories.customer()
    client = signed_in("view_segment", "view_customer")

    assert read(client, club)
    for address in (at(club, "members"), at(club, "upload"), at(club, "become"), page(club), at(club, "delete")):
        assert client.post(address, {"customer": who.pk, "state": "archived", "name": "X"}).status_code == 403
    club.refresh_from_db()
    assert (club.name, club.archived_at, Membership.objects.count()) == ("Club", None, 0)


# The whole segment


def used(club):
    workflow = Workflow.objects.create(name="Thank you")
    return AddToSegment.objects.create(revision=Revision.objects.create(workflow=workflow), segment=club)


def test_it_is_switched_on_and_off(staff):
    factories.customer(state="MA")
    made = segment(grow(AllOf, CustomerField.objects.create(value="MA")), "Local", is_active=False)

    assert "1 activated." in press(staff, made, "active")
    made.refresh_from_db()
    assert (made.is_active, made.members_now) == (True, 1)
    assert "1 deactivated." in press(staff, made, "off")
    made.refresh_from_db()
    assert (made.is_active, made.members_now) == (False, 1)


def test_a_segment_without_conditions_is_not_switched_on(staff):
    made = segment(grow(AllOf), "Bare", is_active=False)
    assert "“Bare” has no conditions, so everybody would be in it." in press(staff, made, "active")
    made.refresh_from_db()
    assert not made.is_active


def test_a_segment_without_conditions_offers_to_add_some_and_not_to_activate_it(staff):
    bare = read(staff, segment(grow(AllOf), "Bare", is_active=False))
    whole = read(staff, segment(grow(AllOf, CustomerField.objects.create(value="MA")), "Whole", is_active=False))

    assert ("Add conditions" in bare, "Edit conditions" in bare, ">Activate<" in bare) == (True, False, False)
    assert ("Add conditions" in whole, "Edit conditions" in whole, ">Activate<" in whole) == (False, True, True)
    assert "Say by conditions who belongs in it, then activate it." in bare


def test_what_is_not_used_is_archived_and_brought_back(staff, club):
    by_hand.put_in(club, Customer.objects.filter(pk=factories.customer().pk), timezone.now())

    assert "“Club” is archived, with its history." in press(staff, club, "archived")
    assert "It is archived." in read(staff, club)
    assert "Club" not in staff.get(LIST).content.decode()
    assert "Club" in staff.get(LIST, {"state": "archived"}).content.decode()
    search = {"app_label": "segments", "model_name": "insegment", "field_name": "other", "term": "club"}
    assert staff.get(reverse("admin:autocomplete"), search).json()["results"] == []
    who = factories.customer()
    said = staff.post(at(club, "members"), {"customer": who.pk}, follow=True).content.decode()
    assert "“Club” is archived. Bring it back first" in said

    assert "“Club” is back." in press(staff, club, "back")
    club.refresh_from_db()
    assert (club.archived_at, club.members_now, Membership.objects.count()) == (None, 1, 1)


def test_what_is_used_is_neither_archived_nor_deleted_and_says_by_whom(staff, club):
    used(club)
    segment(grow(AllOf, InSegment.objects.create(other=club)), "Asking")
    stay(club, timezone.now())

    assert "It was not archived. “Club” is used by" in press(staff, club, "archived")
    for answer in (staff.post(at(club, "delete"), {"post": "yes"}), staff.get(at(club, "delete"))):
        text = answer.content.decode()
        assert answer.status_code == (409 if answer.request["REQUEST_METHOD"] == "POST" else 200)
        assert all(name in text for name in ("Thank you", "Asking", "/workflows/workflow/"))
    club.refresh_from_db()
    assert (club.archived_at, Membership.objects.count()) == (None, 1)
    assert "delete_selected" not in staff.get(LIST).content.decode()
    staff.post(LIST, {"action": "delete_selected", "_selected_action": [club.pk], "post": "yes"})
    assert Segment.objects.filter(pk=club.pk).exists()


def test_what_is_not_used_is_deleted_after_it_was_said_what_goes(staff, club):
    now = timezone.now()
    stay(club, now - timedelta(days=2), now)
    stay(club, now)
    made = segment(grow(AllOf, CustomerField.objects.create(value="MA")), "Local")

    text = staff.get(at(club, "delete")).content.decode()
    assert "its history: 2 times that a customer was or is in it" in text
    assert Segment.objects.count() == 2
    assert staff.post(at(club, "delete"), {"post": "yes"}).url == LIST
    assert staff.post(at(made, "delete"), {"post": "yes"}).url == LIST
    assert (Segment.objects.count(), Membership.objects.count(), CustomerField.objects.count()) == (0, 0, 0)
    assert Customer.objects.count() == 2


# The list


def test_the_list_says_state_size_moves_and_uses(staff, club):
    now = timezone.now()
    used(club)
    stay(club, now - timedelta(days=30), now - timedelta(days=1))
    for _ in range(3):
        stay(club, now - timedelta(days=2))
    Segment.objects.update(members_now=3)
    segment(name="Off", is_active=False)

    rows = {each.name: each for each in staff.get(LIST).context["cl"].result_list}
    text = staff.get(LIST).content.decode()

    assert rows["Club"].week == (3, 1)
    assert [str(use) for use in rows["Club"].uses_now] == ["workflow “Thank you”"]
    assert rows["Club"].share == 0.75
    assert "75.0% of all" in text
    assert {each.name for each in staff.get(LIST, {"state": "by_hand"}).context["cl"].result_list} == {"Club"}
    assert {each.name for each in staff.get(LIST, {"state": "off"}).context["cl"].result_list} == {"Off"}
    assert {each.name for each in staff.get(LIST, {"state": "active"}).context["cl"].result_list} == set()


def test_the_list_takes_as_many_statements_for_two_segments_as_for_twelve(staff):
    def statements(count):
        for number in range(count):
            one = Segment.objects.create(name=f"{count}.{number}", kind=Segment.Kind.STATIC)
            workflow = Workflow.objects.create(name=f"Workflow {count}.{number}")
            AddToSegment.objects.create(revision=Revision.objects.create(workflow=workflow), segment=one)
            segment(grow(AllOf, InSegment.objects.create(other=one)), f"Asks {count}.{number}")
            stay(one, timezone.now())
        with CaptureQueriesContext(connection) as captured:
            staff.get(LIST)
        return len(captured)

    statements(1)
    assert statements(2) == statements(12)


# The customer's page


def test_a_customers_page_lists_the_segments_they_are_in(staff, club):
    who = factories.customer(first_name="Anna")
    local = segment(grow(AllOf, CustomerField.objects.create(value="MA")), "Local")
    old = Segment.objects.create(name="Old", kind=Segment.Kind.STATIC)
    now = timezone.now()
    for one, left in ((local, None), (old, now)):
        Membership.objects.create(segment=one, customer=who, joined_at=now, left_at=left)
    address = reverse("admin:store_customer_change", args=[who.pk])

    context = staff.get(address).context
    assert [stay.segment for stay in context["stays"]] == [local]
    assert list(context["other_segments"]) == [club, old]

    back = staff.post(at(club, "members"), {"customer": who.pk, "back": f"{address}#segments"})
    assert back.url == f"{address}#segments"
    context = staff.get(address).context
    assert [stay.segment for stay in context["stays"]] == [club, local]
    assert list(context["other_segments"]) == [old]
    assert f'href="{page(club)}"' in staff.get(address).content.decode()


def test_who_may_not_see_segments_sees_none_on_a_customers_page(club):
    StoreSettings.load()
    who = factories.customer()
    by_hand.put_in(club, Customer.objects.all(), timezone.now())
    client = signed_in("view_customer")

    text = client.get(reverse("admin:store_customer_change", args=[who.pk])).content.decode()

    assert 'id="segments"' not in text
    assert "Take out" not in text
