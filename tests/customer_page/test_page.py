"""All that is known of a customer, on one page."""

import html
import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyaltyflow.merging import merge
from loyaltyflow.store.clock import store
from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Event, StoreSettings
from rewards.models import Account, Entry, Lot, Tier, Voucher
from tests import factories
from tests.customer_page import world
from tests.staff import signed_in
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def today():
    """Pages are about this very moment."""
    return StoreSettings.load().local(timezone.now()).replace(hour=0, minute=0, second=0, microsecond=0)


def address_of(who) -> str:
    return reverse("admin:store_customer_change", args=[who.pk])


def text_of(response) -> str:
    """The page's own words, without markup."""
    main = response.content.decode().partition('<div class="lf">')[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


def limited(*permissions: str) -> Client:
    return signed_in("view_customer", *permissions)


def test_the_page_shows_each_of_the_twelve_facts(admin_client, admin_user, today):
    who = world.everything(today, admin_user)

    text = text_of(admin_client.get(address_of(who)))
    timeline = " ".join(
        text_of(admin_client.get(address_of(who), {"show": group}))
        for group in ("messages", "segments", "workflows", "tags", "consent", "staff", "events", "vouchers", "points")
    )

    # purchases: four of $40.00 and one of $80.00, one a week
    assert "$240.00 5 orders · average $48.00" in text
    assert "every 7 days" in text
    assert "Harbor Roast Coffee 12 oz 4 $160.00" in text
    # the balance: two lots wait for two weeks, two can be spent
    assert "80 pts worth $4.00 · 80 pending" in text
    # the lots by the day on which they expire
    assert text.count(" 40 $2.00") == 2
    assert "Can be spent 80 $4.00" in text
    # tier, vouchers
    assert re.search(r"Gold [\d,]+ .{0,6} ?to Platinum", text)
    assert "1 held, 1 used" in text
    assert "CLB-2XD8-1" in text
    assert "Used voucher COF-9RM4-1, $10.00 off $75.00 or more" in timeline
    # messages, opens and clicks
    assert "Sent “Thanksgiving list”" in timeline
    assert "Not sent: “Big basket” News · E-mail · Opted out" in timeline
    assert "Opened “Thanksgiving list”" in timeline
    assert "Clicked “Thanksgiving list” News · https://shop.example.com/fresh" in timeline
    # segments in and out
    assert "Entered segment “Lives near”" in timeline
    assert "Left segment “No produce”" in timeline
    # the way through the workflow
    assert "at “Wait 5 days”" in text
    assert "came by “When this happens: Joined the loyalty programme” → “" in text
    assert "Entered workflow “Birthday month”" in timeline
    # tags, the consent log, what staff edited, other events
    assert "Tag: coffee club" in text
    assert "Got the tag “coffee club” by admin" in timeline
    assert "✓ E-mail" in text
    assert "✕ SMS" in text
    assert "E-mail: Opted in test" in timeline
    assert "Changed Postal code." in timeline
    assert "Survey answered" in timeline


def test_the_statements_are_as_many_for_a_long_history_as_for_a_short_one(admin_client, admin_user, today):
    who = world.everything(today, admin_user)

    def statements() -> int:
        with CaptureQueriesContext(connection) as counted:
            page = admin_client.get(address_of(who), {"why": f"workflow:{Workflow.objects.get().pk}"})
        assert page.status_code == 200
        return len(counted)

    statements()
    few = statements()
    world.more(who, today, admin_user, 40)
    many = statements()

    assert many <= few < 80


def test_the_filters_count_what_they_show(admin_client, admin_user, today):
    who = world.everything(today, admin_user)

    timeline = admin_client.get(address_of(who)).context["timeline"]
    counts = {each["name"]: each["count"] for each in timeline.filters}

    assert counts[""] == sum(count for name, count in counts.items() if name)
    assert (counts["purchases"], counts["messages"], counts["segments"]) == (5, 4, 3)
    for name, count in counts.items():
        shown = admin_client.get(address_of(who), {"show": name}).context["timeline"]
        assert (shown.total, shown.shown) == (count, name)
        assert sum(len(lines) for _, lines in shown.days) == min(count, 20)


def test_a_movement_of_points_is_one_line_of_the_timeline_and_not_its_event_too(admin_client, today):
    who = factories.customer()
    for kind in Entry.Kind:
        happened(kind.event, who.pk, today, f"{kind.event}:{kind}", points=1)
    happened("survey_answered", who.pk, today, "survey")
    counts = {each["name"]: each["count"] for each in admin_client.get(address_of(who)).context["timeline"].filters}
    assert counts == {"": 1, "events": 1}


def test_five_thousand_events_are_read_a_page_at_a_time(admin_client, today):
    who = factories.customer(first_name="Ann")
    Event.objects.bulk_create(
        Event(name="page_visited", customer=who, occurred_at=today - timedelta(minutes=n), key=f"visit:{n}")
        for n in range(5_000)
    )

    first = admin_client.get(address_of(who)).context["timeline"]
    last = admin_client.get(address_of(who), {"page": 250}).context["timeline"]
    beyond = admin_client.get(address_of(who), {"page": "99999999"}).context["timeline"]

    assert (first.first, first.last, first.total, first.newer, first.older) == (1, 20, 5_000, 0, 2)
    assert (last.first, last.last, last.newer, last.older) == (4_981, 5_000, 249, 0)
    assert beyond.page == 250
    assert first.days[0][1][0].at == today
    assert last.days[-1][1][-1].at == today - timedelta(minutes=4_999)


def test_an_empty_customer_and_one_who_left(admin_client, today):
    nobody = factories.customer(email="", phone="+16175550188")
    left = factories.customer(loyalty_joined_at=today - timedelta(days=9), loyalty_left_at=today - timedelta(days=2))

    empty, gone = (text_of(admin_client.get(address_of(who))) for who in (nobody, left))

    for said in ("0 pts worth $0.00", "0 orders", "Not a member", "Too few purchases to say", "Members only"):
        assert said in empty
    assert "Nothing yet." in empty
    assert "In no workflow now." in empty
    assert "Left the programme on" in gone


def test_a_million_points_and_a_long_name(admin_client, today):
    who = factories.customer(first_name="Wilhelmina-" * 8, last_name="Featherstonehaugh" * 5)
    entry = Entry.objects.create(
        customer=who, kind=Entry.Kind.MIGRATION, points=1_000_000, occurred_at=today, key="m", explanation="Moved"
    )
    Lot.objects.create(
        entry=entry, customer=who, points=1_000_000, remaining=1_000_000, earned_at=today, available_at=today
    )
    Account.objects.create(customer=who, balance=1_000_000)

    text = text_of(admin_client.get(address_of(who)))

    assert "1,000,000 pts worth $50,000.00" in text
    assert "No end 1,000,000 $50,000.00" in text
    assert "+1,000,000 pts" in text


def test_points_held_and_owed_cannot_be_spent(admin_client, today):
    who = world.maria(today)
    world.bought(who, today, 20, "100.00")
    Account.objects.update(owed=30)
    who.holds.create(source="till", external_id="1", points=20, expires_at=timezone.now() + timedelta(minutes=5))

    answer = admin_client.get(address_of(who))

    points, shown = answer.context["points"], text_of(answer)
    assert "Held at a till −20 −$1.00 Owed −30 −$1.50 Can be spent 50 $2.50" in shown
    account = points.account
    assert (account.active, account.held, account.owed, account.spendable) == (100, 20, 30, 50)
    assert points.worth == Decimal("2.50")


def test_ends_at_midnight_are_shown_as_the_last_day_before(admin_client, today):
    who = world.maria(today)
    world.bought(who, today, 20, "100.00")
    world.has_vouchers(who, today)
    midnight = datetime(2031, 3, 1, 0, 0, tzinfo=store().zone)
    Lot.objects.update(expires_at=midnight)
    Voucher.objects.update(expires_at=midnight)

    shown = text_of(admin_client.get(address_of(who)))

    assert "Until Points Worth Feb 28, 2031 100 $5.00 Can be spent 100 $5.00" in shown
    assert "CLB-2XD8-1 until Feb 28, 2031" in shown
    assert "Mar 1, 2031" not in shown


def test_who_is_no_member_is_on_the_way_to_no_tier(admin_client, today):
    Tier.objects.create(name="Bronze", threshold=0)

    shown = text_of(admin_client.get(address_of(factories.customer())))

    assert "Not a member" in shown
    assert "Tier – Members only Purchases" in shown


def test_more_days_of_expiry_than_are_shown_are_one_line_with_its_worth(admin_client, today):
    who = world.maria(today)
    for ago in range(20, 31):
        world.bought(who, today, ago, "100.00")

    assert "Later 300 $15.00 Can be spent 1,100 $55.00" in text_of(admin_client.get(address_of(who)))


@pytest.mark.parametrize(
    ("permission", "shown"),
    [
        ("view_account", ["Balance", "Points by expiry"]),
        ("view_message", ["Messages 4"]),
        ("view_segment", ["Segments", "Entered segment"]),
        ("view_order", ["Purchases $240.00", "Buys most"]),
        ("view_consent", ["May we write?"]),
        ("view_enrolment", ["Running workflows"]),
        ("view_voucher", ["Vouchers"]),
    ],
)
def test_staff_see_what_they_have_the_right_to(admin_user, today, permission, shown):
    who = world.everything(today, admin_user)
    client = limited()

    before = text_of(client.get(address_of(who)))
    User.objects.get(username="limited").user_permissions.add(Permission.objects.get(codename=permission))
    after = text_of(client.get(address_of(who)))

    assert [words for words in shown if words in before] == []
    assert [words for words in shown if words not in after] == []


def test_who_may_not_see_segments_or_workflows_gets_no_answer_about_them(admin_user, today):
    who = world.everything(today, admin_user)
    segment, workflow = world.locals_only(), Workflow.objects.get()
    client = limited()

    for asked in (f"segment:{segment.pk}", f"workflow:{workflow.pk}"):
        page = client.get(address_of(who), {"why": asked})
        assert (page.context["why"], page.context["why_choices"]) == ({}, [])


def test_why_a_customer_is_in_a_segment_and_not_in_another(admin_client, admin_user, today):
    who = world.everything(today, admin_user)
    segment = world.locals_only()

    inside = text_of(admin_client.get(address_of(who), {"why": f"segment:{segment.pk}"}))
    segment.memberships.all().delete()
    type(who).objects.filter(pk=who.pk).update(state="NH")
    outside = text_of(admin_client.get(address_of(who), {"why": f"segment:{segment.pk}"}))

    assert "Maria Oliveira is in this segment." in inside
    assert "Maria Oliveira is not in this segment. Customers who live in Massachusetts ." in outside
    assert "No: Lives in Massachusetts" in outside
    assert "NH" in outside.partition("No: Lives in Massachusetts")[2].partition("Running")[0]


def test_why_a_customer_is_in_a_workflow(admin_client, admin_user, today):
    who, other = world.everything(today, admin_user), factories.customer(first_name="Ben")
    workflow = Workflow.objects.get()

    inside = text_of(admin_client.get(address_of(who), {"why": f"workflow:{workflow.pk}"}))
    outside = text_of(admin_client.get(address_of(other), {"why": f"workflow:{workflow.pk}"}))

    assert "Maria Oliveira is in this workflow since" in inside
    assert "No: May enter now: once ever" in inside
    assert "Ben was never in this workflow." in outside
    assert re.search(r"No: This has happened since .*: Joined the loyalty programme It never happened", outside, re.I)


@pytest.mark.parametrize("wrong", ["segment:", "segment:x", "segment:999999", "tier:1", "\0", "workflow:9" * 9])
def test_a_question_about_nothing_is_not_answered(admin_client, wrong):
    page = admin_client.get(address_of(factories.customer()), {"why": wrong, "show": wrong, "page": wrong})

    assert page.status_code == 200
    assert page.context["why"] == {}


def test_the_form_is_behind_edit_details_and_leads_back(admin_client):
    who = factories.customer(first_name="Ann")
    edit = reverse("admin:store_customer_edit", args=[who.pk])

    assert f'href="{edit}"' in admin_client.get(address_of(who)).content.decode()
    form = admin_client.get(edit)
    assert {each.formset.prefix for each in form.context["inline_admin_formsets"]} == {
        "taggings",
        "consents",
        "external_ids",
    }
    assert f'href="{address_of(who)}"' in form.content.decode()


def test_who_may_not_see_customers_sees_neither_page_nor_form():
    who = factories.customer()
    client = limited()
    User.objects.get(username="limited").user_permissions.clear()

    assert client.get(address_of(who)).status_code == 403
    assert client.get(reverse("admin:store_customer_edit", args=[who.pk])).status_code == 403


def test_each_button_is_shown_to_who_may_press_it_and_leads_somewhere(admin_client):
    who = factories.customer(first_name="Ann")
    limited_page = limited().get(address_of(who))
    page = admin_client.get(address_of(who))

    assert [label for label, _ in limited_page.context["buttons"]] == ["Details", "Changes"]
    assert [label for label, _ in page.context["buttons"]] == [
        "Adjust points",
        "Give voucher",
        "Open at till",
        "Merge with a duplicate",
        "Edit details",
        "Changes",
    ]
    for _, address in page.context["buttons"]:
        assert admin_client.get(address).status_code == 200


def test_an_old_link_to_a_merged_customer_leads_to_the_one_that_is_left(admin_client, admin_user):
    last, kept, gone = (factories.customer(first_name=name) for name in ("Ann", "Anna", "Annie"))
    merge(kept, gone, timezone.now())
    merge(last, kept, timezone.now())

    answer = admin_client.get(address_of(gone), follow=True)

    assert answer.context["customer"] == last
    assert "Annie was merged: this is the one customer now." in answer.content.decode()
    assert limited().get(address_of(gone), follow=True).context["customer"] == last
    other = signed_in("view_order", name="other").get(address_of(gone))
    assert (other.status_code, other.url) == (302, "/")  # as for what is not there


@pytest.mark.parametrize("number", ["999999", "9" * 30, "x"])
def test_who_never_was_is_not_found(admin_client, number):
    answer = admin_client.get(f"/store/customer/{number}/change/")

    assert (answer.status_code, answer.url) == (302, "/")
