from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat
from django.test.utils import CaptureQueriesContext

from loyaltyflow import merging
from loyaltyflow.store import duplicates, tags
from loyaltyflow.store.models import (
    Apart,
    Cart,
    Channel,
    Consent,
    Customer,
    Event,
    ExternalId,
    Merge,
    StoreSettings,
    Tagging,
)
from loyaltyflow.store.people import known_as
from messaging.models import Campaign, Message
from rewards import ledger, notifying
from rewards.budgets import draw
from rewards.models import Account, Budget, Entry, Lot, Notice, Spending, Standing, Tier
from segments import by_hand, refresh
from segments.conditions.made_purchase import MadePurchase
from segments.models import Membership, Segment
from tests import factories
from tests.segments.tree import grow, segment
from tests.workflows import flows
from workflows.models import Enrolment

DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(now):
    return factories.customer(
        first_name="Ann", last_name="Lee", email="ann@example.com", loyalty_joined_at=now - 20 * DAY
    )


@pytest.fixture
def anna(now):
    return factories.customer(
        first_name="Anna",
        last_name="Lee",
        email="anna@example.com",
        phone="+12025550143",
        birth_month=3,
        birth_day=9,
        loyalty_joined_at=now - 50 * DAY,
        attributes={"shoe": 38},
    )


def give(who, points, now, **more):
    key = Concat(Value(f"gift:{points}:"), Cast("pk", TextField()), output_field=TextField())
    ledger.award(
        Customer.objects.filter(pk=who.pk),
        kind=Entry.Kind.BOOST,
        points=Value(points),
        key=key,
        customer="pk",
        explanation=Value("A gift"),
        now=now,
        **more,
    )


def points_of(who):
    return Account.objects.filter(pk=who.pk).values_list("balance", flat=True).first() or 0


def test_points_of_both_are_the_points_of_one_and_the_ledger_shows_where_they_came_from(now, ann, anna):
    give(ann, 30, now - 2 * DAY)
    give(anna, 70, now - 2 * DAY, expires_at=now + 40 * DAY)

    done = merging.merge(ann, anna, now)

    assert (points_of(ann), points_of(anna)) == (100, 0)
    moves = Entry.objects.exclude(kind=Entry.Kind.BOOST).order_by("points").values_list("customer", "kind", "points")
    assert list(moves) == [(anna.pk, "transfer_out", -70), (ann.pk, "transfer_in", 70)]
    lots = Lot.objects.filter(customer=ann, remaining__gt=0).order_by("remaining")
    assert list(lots.values_list("remaining", "expires_at")) == [(30, None), (70, now + 40 * DAY)]
    assert done.moved["points"] == 70
    assert ledger.verify() == []


@pytest.mark.parametrize(
    ("_case", "kept", "merged", "after"),
    [
        ("the merged one unsubscribed", "opted_in", "opted_out", "opted_out"),
        ("the kept one unsubscribed", "opted_out", "opted_in", "opted_out"),
        ("both opted in", "opted_in", "opted_in", "opted_in"),
        ("one has not confirmed", "opted_in", "pending", "pending"),
        ("only the merged one said anything", None, "opted_in", "opted_in"),
        ("only the merged one unsubscribed", None, "opted_out", "opted_out"),
        ("neither said anything", None, None, None),
    ],
)
def test_the_stricter_consent_counts(now, ann, anna, _case, kept, merged, after):
    for who, status, ago in ((ann, kept, 9), (anna, merged, 5)):
        if status:
            factories.consent(who, now - ago * DAY, status)

    merging.merge(ann, anna, now)

    last = Consent.objects.filter(customer=ann, channel=Channel.EMAIL).order_by("-given_at", "-pk").first()
    assert (last.status if last else None) == after


def test_what_was_said_on_consent_stays_where_it_was_said(now, ann, anna):
    factories.consent(anna, now - DAY)
    merging.merge(ann, anna, now)
    assert [each.customer_id for each in Consent.objects.order_by("pk")] == [anna.pk, ann.pk]
    assert Consent.objects.values_list("given_at", flat=True).distinct().get() == now - DAY


def test_the_profile_is_filled_in_and_the_merged_customer_is_found_no_more(now, ann, anna):
    ExternalId.objects.create(customer=anna, source="card", external_id="7700")
    by = User.objects.create_user("dana")

    merging.merge(ann, anna, now, by)

    ann.refresh_from_db()
    assert (ann.name, ann.email, ann.phone) == ("Ann Lee", "ann@example.com", "+12025550143")
    assert (ann.birth_month, ann.birth_day, ann.attributes) == (3, 9, {"shoe": 38})
    assert (ann.loyalty_joined_at, ann.loyalty_left_at) == (now - 50 * DAY, None)
    assert list(Customer.objects.all()) == [ann]
    assert list(ann.external_ids.values_list("external_id", flat=True)) == ["7700"]
    for words in ("anna@example.com", "Anna Lee"):
        assert not known_as(words, StoreSettings.load(), now).exists()
    record = Merge.objects.get()
    assert (record.kept, record.merged, record.at, record.by) == (ann, Customer.everyone.get(pk=anna.pk), now, by)
    assert record.was["email"] == "anna@example.com"
    assert Event.objects.filter(name="customers_merged", customer=ann).count() == 1


@pytest.mark.parametrize(
    ("_case", "kept", "merged", "after"),
    [
        ("both left", -3, -5, -3),
        ("only the kept one left", -3, None, None),
        ("only the merged one left", None, -5, None),
    ],
)
def test_who_is_a_member_once_is_a_member(now, ann, anna, _case, kept, merged, after):
    for who, left in ((ann, kept), (anna, merged)):
        Customer.objects.filter(pk=who.pk).update(loyalty_left_at=left and now + left * DAY)
    merging.merge(ann, anna, now)
    ann.refresh_from_db()
    assert ann.loyalty_left_at == (after and now + after * DAY)


def test_orders_carts_events_and_tags_go_over(now, ann, anna):
    order = factories.order(anna, now - DAY, "12.00")
    cart = Cart.objects.create(source="web", external_id="1", customer=anna, updated_at=now - DAY)
    for who in (ann, anna):
        tags.add(Customer.objects.filter(pk=who.pk), "vip", now - 3 * DAY, "test")
    tags.add(Customer.objects.filter(pk=anna.pk), "loves tea", now - 3 * DAY, "test")

    done = merging.merge(ann, anna, now)

    order.refresh_from_db()
    cart.refresh_from_db()
    assert (order.customer, cart.customer) == (ann, ann)
    assert set(Event.objects.values_list("customer", flat=True)) == {ann.pk}
    assert sorted(Tagging.objects.open().values_list("customer", "tag__name")) == [
        (ann.pk, "loves tea"),
        (ann.pk, "vip"),
    ]
    assert (done.moved["orders"], done.moved["carts"], done.moved["tags"]) == (1, 1, 2)


@pytest.mark.django_db(transaction=True)
def test_segments_have_the_one_customer_once(now, ann, anna):
    guests = Segment.objects.create(name="Guests", kind=Segment.Kind.STATIC, is_active=True)
    by_hand.put_in(guests, Customer.objects.filter(pk=anna.pk), now - DAY)
    regulars = segment(grow(MadePurchase, count=2), name="Regulars")
    for who in (ann, anna):
        factories.order(who, now - DAY, "5.00")
    refresh.refresh(now - timedelta(hours=1))
    assert Membership.objects.open().filter(segment=regulars).count() == 0

    merging.merge(ann, anna, now)
    refresh.refresh(now)

    assert sorted(Membership.objects.open().values_list("customer", "segment__name")) == [
        (ann.pk, "Guests"),
        (ann.pk, "Regulars"),
    ]
    guests.refresh_from_db()
    assert guests.members_now == 1


@pytest.mark.django_db(transaction=True)
def test_workflows_that_both_are_in_go_on_once_and_others_go_on(now, ann, anna):
    steps = []
    for _ in range(2):
        draft = flows.workflow().draft()
        steps.append(flows.email(draft))
        flows.live(now - 9 * DAY, flows.on_event(draft), steps[-1], flows.end(draft))
    flows.stand_at(steps[0], now - DAY, ann, anna)
    flows.stand_at(steps[1], now - DAY, anna)

    merging.merge(ann, anna, now)

    found = Enrolment.objects.order_by("workflow_id", "-status").values_list(
        "customer", "workflow", "status", "outcome"
    )
    assert list(found) == [
        (ann.pk, steps[0].revision.workflow_id, "exited", "Merged with a duplicate"),
        (ann.pk, steps[0].revision.workflow_id, "active", ""),
        (ann.pk, steps[1].revision.workflow_id, "active", ""),
    ]


def test_the_higher_tier_stays(now, ann, anna):
    silver, gold = Tier.objects.create(name="Silver", threshold=500), Tier.objects.create(name="Gold", threshold=1500)
    for who, tier in ((ann, silver), (anna, gold)):
        Standing.objects.create(customer=who, tier=tier, since=now - 9 * DAY, reason=Standing.Reason.REACHED)

    merging.merge(ann, anna, now)

    assert list(Standing.objects.open().values_list("customer", "tier__name")) == [(ann.pk, "Gold")]


def test_messages_go_over_and_what_both_were_to_get_is_sent_once(now, ann, anna):
    template = flows.template()
    campaign = Campaign.objects.create(name="Hello")
    for who, visit in ((ann, 1), (anna, 1), (anna, 2)):
        Message.objects.create(
            campaign=campaign, customer=who, template=template, channel="email", category="marketing",
            origin="node:1", visit=visit, due_at=now,
        )  # fmt: skip

    merging.merge(ann, anna, now)

    found = Message.objects.order_by("customer", "visit").values_list("customer", "visit", "status")
    assert list(found) == [(ann.pk, 1, "pending"), (ann.pk, 2, "pending"), (anna.pk, 1, "blocked")]


def test_a_preview_changes_nothing_and_says_what_would_be(now, ann, anna):
    factories.order(anna, now - DAY, "12.00")
    would = merging.preview(ann, anna, now)

    assert (would.moved["orders"], would.kept.phone) == (1, "+12025550143")
    assert Customer.objects.count() == 2
    assert not Merge.objects.exists()
    assert Event.objects.filter(customer=anna).exists()


@pytest.mark.parametrize("_case", ["the same", "merged already"])
def test_who_cannot_be_merged(now, ann, anna, _case):
    if _case == "merged already":
        merging.merge(factories.customer(), anna, now)
    before = Merge.objects.count()
    with pytest.raises(merging.NotMerged):
        merging.merge(ann, ann if _case == "the same" else anna, now)
    assert Merge.objects.count() == before


def test_what_both_had_of_a_budget_is_what_the_one_had(now, ann, anna):
    ever = Budget.objects.create(name="Ever", unit="points", amount=100, per_customer=50)
    daily = Budget.objects.create(name="Daily", unit="points", amount=100, period="day")
    for of, who, points, at in ((ever, ann, 10, now), (ever, anna, 7, now), (daily, anna, 3, now - DAY)):
        assert draw(of, points, who.pk, at) == points

    merging.merge(ann, anna, now)

    had = Spending.objects.exclude(customer=None).order_by("budget__pk")
    assert list(had.values_list("budget", "customer", "used")) == [
        (ever.pk, ann.pk, Decimal(17)),
        (daily.pk, ann.pk, Decimal(3)),
    ]
    assert draw(ever, 34, ann.pk, now) == 0


def test_the_number_of_statements_does_not_depend_on_how_much_there_is(now):
    counts = []
    daily = Budget.objects.create(name="Daily", unit="points", amount=100, period="day")
    for orders in (1, 12):
        one, other = factories.customer(), factories.customer()
        for ago in range(orders):
            factories.order(other, now - ago * DAY, "5.00")
            give(other, ago + 1, now - ago * DAY)
            draw(daily, 1, other.pk, now - ago * DAY)
        with CaptureQueriesContext(connection) as captured:
            merging.merge(one, other, now)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_who_shares_a_phone_a_mailbox_or_a_name_and_more_may_be_one_person(now):
    same_phone = [factories.customer(phone="+12025550143") for _ in range(2)]
    same_box = [factories.customer(email=address) for address in ("jo.doe@example.com", "JoDoe+shop@example.com")]
    born = {"first_name": "Bo", "last_name": "Yi", "birth_month": 2, "birth_day": 29}
    same_birthday = [factories.customer(**born, postal_code="02138", country="US") for _ in range(2)]
    Customer.objects.filter(pk=same_birthday[1].pk).update(first_name="BO", postal_code="02139")
    [factories.customer(first_name="Al", last_name="Ng") for _ in range(2)]
    [factories.customer(phone="+12025550199") for _ in range(6)]

    found = {(pair.one.pk, pair.other.pk): pair.why for pair in duplicates.found()}

    assert found == {
        (same_phone[0].pk, same_phone[1].pk): ["Same phone number"],
        (same_box[0].pk, same_box[1].pk): ["Same mailbox"],
        (same_birthday[0].pk, same_birthday[1].pk): ["Same name and birthday"],
    }
    assert [(pair.one, pair.other) for pair in duplicates.of(same_phone[1])] == [(same_phone[1], same_phone[0])]

    assert merging.tell_apart(same_phone[1], same_phone[0], now)
    assert not merging.tell_apart(same_phone[0], same_phone[1], now)
    assert len(duplicates.found()) == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        Apart.objects.create(one=same_phone[1], other=same_phone[0], said_at=now)


def test_the_kept_customer_is_told_of_the_points_that_came_over(now, ann, anna):
    give(anna, 70, now - 2 * DAY)
    merging.merge(ann, anna, now)

    assert notifying.send(now + 2 * DAY) == {"told": 1, "exempt": 2}

    told = Notice.objects.values_list("entry__customer", "entry__points", "exemption", "message__customer")
    assert sorted(told) == [(ann.pk, 70, "", ann.pk), (anna.pk, -70, "merged", None), (anna.pk, 70, "merged", None)]
    assert not notifying.missing(now + 4 * DAY)
