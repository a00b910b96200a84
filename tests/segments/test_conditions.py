from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError

from loyaltyflow.store.models import Channel, Consent, Customer, Order
from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.has_consent import HasConsent
from segments.conditions.in_segment import InSegment
from segments.conditions.joined_loyalty import JoinedLoyalty
from segments.conditions.made_purchase import Count, MadePurchase
from segments.conditions.none_of import NoneOf
from segments.models import Membership
from tests import factories

from .tree import grow, read, segment

pytestmark = pytest.mark.django_db
NEW_YORK = ZoneInfo("America/New_York")


def met_by(condition: Condition, now: datetime) -> set[str]:
    return set(Customer.objects.filter(condition.q(now)).values_list("first_name", flat=True))


def flips_at(condition: Condition, who: Customer, now: datetime) -> datetime | None:
    return Customer.objects.annotate(due=condition.flips(now)).get(pk=who.pk).due


# Groups


@pytest.fixture
def four() -> None:
    """Anna lives in MA and speaks English, Ben only lives there, Cleo only speaks it, Dan neither."""
    factories.customer(first_name="Anna", state="MA", language="en")
    factories.customer(first_name="Ben", state="MA")
    factories.customer(first_name="Cleo", state="NH", language="en")
    factories.customer(first_name="Dan")


@pytest.mark.parametrize(
    ("_case", "kind", "expected"),
    [
        ("all", AllOf, {"Anna"}),
        ("any", AnyOf, {"Anna", "Ben", "Cleo"}),
        ("none", NoneOf, {"Dan"}),
    ],
)
def test_groups_of_two(_case, kind, expected, four, now):
    group = grow(
        kind, CustomerField.objects.create(value="MA"), CustomerField.objects.create(field="language", value="en")
    )

    assert met_by(group, now) == expected


EVERYBODY = {"Anna", "Ben", "Cleo", "Dan"}


@pytest.mark.parametrize(("kind", "expected"), [(AllOf, EVERYBODY), (AnyOf, set()), (NoneOf, EVERYBODY)])
@pytest.mark.parametrize("wrapped", [False, True])
def test_groups_of_nothing(kind, expected, wrapped, four, now):
    group = grow(kind)

    assert met_by(grow(AllOf, group) if wrapped else group, now) == expected


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        (AnyOf, AllOf, EVERYBODY),
        (NoneOf, AllOf, set()),
        (NoneOf, AnyOf, {"Cleo", "Dan"}),
        (AllOf, AnyOf, set()),
        (AllOf, NoneOf, {"Anna", "Ben"}),
    ],
)
def test_an_empty_group_beside_a_question(outer, inner, expected, four, now):
    group = grow(outer, CustomerField.objects.create(value="MA"), grow(inner))

    assert met_by(group, now) == expected


def test_none_of_takes_in_those_whose_field_is_empty(now):
    factories.customer(first_name="Member", loyalty_joined_at=now - timedelta(days=1))
    factories.customer(first_name="Stranger")

    assert met_by(grow(NoneOf, JoinedLoyalty.objects.create()), now) == {"Stranger"}


def test_a_tree_is_read_with_one_query_for_each_type(four, now, django_assert_num_queries):
    inner = grow(AnyOf, *(CustomerField.objects.create(value=value) for value in ("NH", "VT", "ME")))
    root = grow(AllOf, CustomerField.objects.create(field="language", value="en"), inner)

    with django_assert_num_queries(3):
        summary = root.summary()

    assert summary == "have the language en and (have the state NH or have the state VT or have the state ME)"
    assert met_by(root, now) == {"Cleo"}


def test_an_explanation_names_each_leaf_with_what_was_seen(four, now):
    root = grow(AllOf, CustomerField.objects.create(value="MA"), grow(NoneOf, MadePurchase.objects.create()))
    ben = Customer.objects.get(first_name="Ben")
    factories.order(ben, now - timedelta(days=2))

    why = root.explain(ben, now)

    assert not why.holds
    assert [(part.holds, part.seen) for part in why.parts] == [(True, "state: MA"), (False, "")]
    leaf = why.parts[1].parts[0]
    assert (leaf.summary, leaf.holds, leaf.seen) == (
        "made at least 1 purchase",
        True,
        "1 purchase, the last on 2026-11-21",
    )


def test_the_copy_of_a_tree_says_the_same_and_shares_no_row(four, now):
    inner = grow(NoneOf, MadePurchase.objects.create(operator=Count.EXACTLY, count=3, window_days=7))
    root = grow(AllOf, CustomerField.objects.create(value="MA"), inner)

    copy = read(root.copy())

    assert copy.wording() == root.wording()
    assert {each.pk for each in copy.walk()}.isdisjoint({each.pk for each in root.walk()})
    assert {each.tree_id for each in copy.walk()} == {None, copy.pk}


# CustomerField


@pytest.mark.parametrize(
    ("_case", "fields", "expected"),
    [
        ("is", {"operator": "is", "value": "MA"}, {"Capital", "Small"}),
        ("is, whatever the capitals", {"operator": "is", "value": " ma "}, {"Capital", "Small"}),
        ("is not leaves out the unknown", {"operator": "is_not", "value": "MA"}, {"Other"}),
        ("is known", {"operator": "is_set"}, {"Capital", "Small", "Other"}),
        ("is not known", {"operator": "is_not_set"}, {"Blank"}),
        ("is one of", {"operator": "in_list", "value": "nh, Ma,"}, {"Capital", "Small", "Other"}),
        ("contains", {"operator": "contains", "value": "h"}, {"Other"}),
        ("starts with", {"operator": "starts_with", "value": "m"}, {"Capital", "Small"}),
        ("ends with", {"operator": "ends_with", "value": "H"}, {"Other"}),
        ("a sign that LIKE knows", {"operator": "contains", "value": "%"}, set()),
    ],
)
def test_customer_field(_case, fields, expected, now):
    for name, state in {"Capital": "MA", "Small": "ma", "Other": "NH", "Blank": ""}.items():
        factories.customer(first_name=name, state=state)
    condition = CustomerField.objects.create(**fields)

    assert met_by(condition, now) == expected
    assert met_by(grow(NoneOf, condition), now) == {"Capital", "Small", "Other", "Blank"} - expected


@pytest.mark.parametrize(
    ("_case", "fields", "message"),
    [
        ("no value", {"operator": "is", "value": " "}, "“is” needs a value to compare with, such as MA."),
        ("only commas", {"operator": "in_list", "value": ", ,"}, "“is one of” needs a value"),
        ("a value too many", {"operator": "is_set", "value": "MA"}, "“is known” compares with no value."),
        ("no such field", {"field": "password", "value": "x"}, "is not a valid choice"),
    ],
)
def test_customer_field_refuses(_case, fields, message):
    with pytest.raises(ValidationError, match=message):
        CustomerField(**fields).full_clean()


# MadePurchase


@pytest.mark.parametrize(
    ("_case", "operator", "count", "expected"),
    [
        ("at least 1", Count.AT_LEAST, 1, {"One", "Two", "Three"}),
        ("at least 2", Count.AT_LEAST, 2, {"Two", "Three"}),
        ("at most 0", Count.AT_MOST, 0, {"Zero"}),
        ("at most 2", Count.AT_MOST, 2, {"Zero", "One", "Two"}),
        ("exactly 0", Count.EXACTLY, 0, {"Zero"}),
        ("exactly 2", Count.EXACTLY, 2, {"Two"}),
        ("none", Count.NONE, 7, {"Zero"}),
    ],
)
@pytest.mark.parametrize("window_days", [None, 30])
def test_made_purchase_counts(_case, operator, count, expected, window_days, now):
    names = ["Zero", "One", "Two", "Three"]
    for number, name in enumerate(names):
        who = factories.customer(first_name=name)
        for day in range(number):
            factories.order(who, now - timedelta(days=day))
    condition = MadePurchase.objects.create(operator=operator, count=count, window_days=window_days)

    assert met_by(condition, now) == expected
    assert met_by(grow(NoneOf, condition), now) == {*names} - expected


@pytest.mark.parametrize("hour", [0, 12, 23])
@pytest.mark.parametrize(("days", "is_in"), [(0, True), (20, True), (21, True), (22, False)])
def test_a_window_counts_calendar_days_of_the_store(days, is_in, hour, now):
    who = factories.customer(first_name="Anna")
    factories.order(who, now.replace(hour=hour) - timedelta(days=days) if days else now)

    assert met_by(MadePurchase.objects.create(window_days=21), now) == ({"Anna"} if is_in else set())


@pytest.mark.parametrize(
    ("_case", "now", "first_in"),
    [
        ("clock went back", datetime(2026, 11, 5, 9, tzinfo=UTC), datetime(2026, 10, 29, 4, tzinfo=UTC)),
        ("clock went forward", datetime(2026, 3, 12, 9, tzinfo=UTC), datetime(2026, 3, 5, 5, tzinfo=UTC)),
        ("on the day of 25 hours", datetime(2026, 11, 1, 23, 59, tzinfo=UTC), datetime(2026, 10, 25, 4, tzinfo=UTC)),
    ],
)
def test_a_window_over_a_change_of_the_clock(_case, now, first_in):
    now = now.replace(tzinfo=NEW_YORK)
    inside, outside = factories.customer(first_name="Inside"), factories.customer(first_name="Outside")
    factories.order(inside, first_in)
    factories.order(outside, first_in - timedelta(seconds=1))
    condition = MadePurchase.objects.create(window_days=7)

    assert met_by(condition, now) == {"Inside"}
    due = flips_at(condition, inside, now)
    assert met_by(condition, (due - timedelta(seconds=1)).astimezone(NEW_YORK)) == {"Inside"}
    assert met_by(condition, due.astimezone(NEW_YORK)) == set()


@pytest.mark.parametrize(
    ("_case", "zone", "day"),
    [
        ("midnight comes twice", "America/Havana", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("midnight is skipped", "America/Havana", datetime(2026, 3, 8, 12, tzinfo=UTC)),
        ("the hour before midnight comes twice", "America/Asuncion", datetime(2024, 3, 24, 12, tzinfo=UTC)),
    ],
)
def test_a_window_ends_exactly_where_midnight_is_odd(_case, zone, day):
    last_moment = day.replace(tzinfo=ZoneInfo(zone)) - timedelta(days=3)
    who = factories.customer(first_name="Anna")
    factories.order(who, last_moment)
    condition = MadePurchase.objects.create(window_days=2)

    due = flips_at(condition, who, last_moment).astimezone(ZoneInfo(zone))

    assert due.date() == day.date()
    assert met_by(condition, (due.astimezone(UTC) - timedelta(microseconds=1)).astimezone(ZoneInfo(zone))) == {"Anna"}
    assert met_by(condition, due) == set()


@pytest.mark.parametrize(
    ("_case", "fields", "counts"),
    [
        ("not completed", {"completed_at": None}, False),
        ("completed later", {"completed_at": timedelta(hours=1)}, False),
        ("cancelled", {"cancelled_at": -timedelta(hours=1)}, False),
        ("cancelled later", {"cancelled_at": timedelta(hours=1)}, True),
        ("wholly refunded", {"refunded_at": -timedelta(hours=1), "refunded": 20}, False),
        ("wholly refunded later", {"refunded_at": timedelta(hours=1), "refunded": 20}, True),
        ("partly refunded", {"refunded": 5}, True),
    ],
)
def test_what_counts_as_a_purchase(_case, fields, counts, now):
    fields = {name: now + value if isinstance(value, timedelta) else value for name, value in fields.items()}
    factories.order(factories.customer(first_name="Anna"), now - timedelta(days=1), **fields)

    assert met_by(MadePurchase.objects.create(), now) == ({"Anna"} if counts else set())
    assert met_by(MadePurchase.objects.create(operator=Count.NONE), now) == (set() if counts else {"Anna"})


def test_purchases_of_a_product_or_a_category_are_orders_not_lines(now):
    decaf, filters = factories.product(category="Coffee"), factories.product(category="Tools")
    twice, once, other = (factories.customer(first_name=name) for name in ("Twice", "Once", "Other"))
    factories.order(twice, now, "20.00", decaf, filters)
    factories.order(twice, now - timedelta(days=1), "20.00", decaf)
    factories.order(once, now, "20.00", decaf, decaf)
    factories.order(other, now, "20.00", filters)

    assert met_by(MadePurchase.objects.create(product=decaf), now) == {"Twice", "Once"}
    assert met_by(MadePurchase.objects.create(product=decaf, count=2), now) == {"Twice"}
    assert met_by(MadePurchase.objects.create(category="Coffee", count=2), now) == {"Twice"}
    assert met_by(MadePurchase.objects.create(category="Coffee", operator=Count.NONE), now) == {"Other"}


@pytest.mark.parametrize(
    ("_case", "operator", "count", "days_until_flip"),
    [
        ("holds until the second last leaves", Count.AT_LEAST, 2, 4),
        ("does not hold and never will", Count.AT_LEAST, 4, None),
        ("none holds when the last leaves", Count.NONE, 0, 7),
        ("at most 2 holds when the third leaves", Count.AT_MOST, 2, 2),
        ("at most 3 holds for good", Count.AT_MOST, 3, None),
        ("exactly 3 until one leaves", Count.EXACTLY, 3, 2),
        ("exactly 2 from when one leaves", Count.EXACTLY, 2, 2),
    ],
)
def test_purchases_of_1_4_and_6_days_ago_flip_a_week(_case, operator, count, days_until_flip, now):
    who = factories.customer()
    for days in (1, 4, 6):
        factories.order(who, now - timedelta(days=days))
    condition = MadePurchase.objects.create(operator=operator, count=count, window_days=7)
    midnight = now.replace(hour=0, minute=0)

    expected = days_until_flip and midnight + timedelta(days=days_until_flip)
    assert flips_at(condition, who, now) == expected


@pytest.mark.parametrize(
    ("_case", "fields", "message"),
    [
        ("always true", {"count": 0}, "true of everybody"),
        ("unknown category", {"category": "Cofee"}, "No product has the category “Cofee”"),
    ],
)
def test_made_purchase_refuses(_case, fields, message):
    with pytest.raises(ValidationError, match=message):
        MadePurchase(**fields).full_clean()


# HasConsent


@pytest.mark.parametrize("status", Consent.Status.values)
def test_the_last_word_counts(status, now):
    for name, words in {
        "opted_in": ["opted_out", "opted_in"],
        "opted_out": ["opted_in", "opted_out"],
        "pending": ["pending"],
        "unknown": ["opted_in", "unknown"],
    }.items():
        who = factories.customer(first_name=name)
        for days, word in zip((3, 2), words, strict=False):
            factories.consent(who, now - timedelta(days=days), word)
    silent, later = factories.customer(first_name="silent"), factories.customer(first_name="later")
    factories.consent(silent, now - timedelta(days=1), channel=Channel.SMS)
    factories.consent(later, now + timedelta(seconds=1), Consent.Status.OPTED_OUT)

    expected = {status, "silent", "later"} if status == Consent.Status.UNKNOWN else {status}
    assert met_by(HasConsent.objects.create(status=status), now) == expected


# JoinedLoyalty


@pytest.mark.parametrize(
    ("_case", "joined", "left", "ever", "in_30_days"),
    [
        ("never", None, None, False, False),
        ("today", 0, None, True, True),
        ("30 days ago", 30, None, True, True),
        ("31 days ago", 31, None, True, False),
        ("tomorrow", -1, None, False, False),
        ("left", 10, 1, False, False),
        ("leaves tomorrow", 10, -1, True, True),
    ],
)
def test_joined_loyalty(_case, joined, left, ever, in_30_days, now):
    moments = [None if days is None else now - timedelta(days=days) for days in (joined, left)]
    who = factories.customer(first_name="Anna", loyalty_joined_at=moments[0], loyalty_left_at=moments[1])
    recent = JoinedLoyalty.objects.create(window_days=30)

    assert bool(met_by(JoinedLoyalty.objects.create(), now)) is ever
    assert bool(met_by(recent, now)) is in_30_days
    due = flips_at(recent, who, now)
    if due:
        assert bool(met_by(recent, due.astimezone(NEW_YORK))) is not in_30_days
        assert bool(met_by(recent, (due - timedelta(seconds=1)).astimezone(NEW_YORK))) is in_30_days


# InSegment


def test_in_segment_asks_who_was_in_at_that_moment(now):
    club = segment(name="Club", kind="static")
    for name, joined, left in (("In", 2, None), ("Left", 2, 1), ("Leaves", 2, -1), ("Comes", -1, None)):
        stay = [None if days is None else now - timedelta(days=days) for days in (joined, left)]
        Membership.objects.create(
            segment=club, customer=factories.customer(first_name=name), joined_at=stay[0], left_at=stay[1]
        )
    condition = InSegment.objects.create(other=club)

    assert met_by(condition, now) == {"In", "Leaves"}
    assert met_by(condition, now - timedelta(days=1, hours=1)) == {"In", "Left", "Leaves"}
    assert met_by(grow(NoneOf, condition), now) == {"Left", "Comes"}


def test_segments_that_ask_for_each_other_are_refused_with_the_path():
    first, second, third = (segment(grow(AllOf), name) for name in ("First", "Second", "Third"))
    InSegment.objects.create(parent=second.root, other=third)
    InSegment.objects.create(parent=third.root, other=first)

    with pytest.raises(ValidationError) as refusal:
        InSegment(parent=first.root, other=second).full_clean()

    assert refusal.value.messages == [
        "“First” cannot ask who is in “Second”: “Second” asks for “Third”, and “Third” asks for “First”."
    ]
    with pytest.raises(ValidationError, match="it would ask for itself"):
        InSegment(parent=first.root, other=first).full_clean()
    InSegment(parent=first.root, other=segment(name="Free", kind="static")).full_clean()


# As of


def test_a_past_day_is_judged_by_what_was_known_then(now):
    who = factories.customer(first_name="Anna")
    factories.order(who, now - timedelta(days=30), refunded_at=now - timedelta(days=10), refunded=20)
    factories.order(who, now - timedelta(days=2))
    condition = MadePurchase.objects.create(window_days=21)

    answers = {days: bool(met_by(condition, now - timedelta(days=days))) for days in (31, 30, 20, 10, 3, 2, 0)}

    assert answers == {31: False, 30: True, 20: True, 10: False, 3: False, 2: True, 0: True}
    assert Order.objects.count() == 2
