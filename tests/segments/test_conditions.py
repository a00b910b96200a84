from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from loyaltyflow.store.clock import StoreClock
from loyaltyflow.store.models import Channel, Consent, Customer, StoreSettings
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.has_consent import HasConsent
from segments.conditions.in_segment import InSegment
from segments.conditions.joined_loyalty import JoinedLoyalty
from segments.conditions.made_purchase import Count, MadePurchase
from segments.conditions.none_of import NoneOf
from segments.cycles import must_not_ask_for_itself
from segments.models import Membership
from tests import factories

from .tree import flips_at, grow, met_by, read, segment

pytestmark = pytest.mark.django_db
NEW_YORK = ZoneInfo("America/New_York")


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

    StoreSettings.load()
    with django_assert_num_queries(1 + 3):  # as in a request, which reads the store's settings once
        summary = StoreClock(lambda request: HttpResponse(root.summary()))(HttpRequest()).content.decode()

    assert summary == "have the language en and (live in New Hampshire or live in Vermont or live in Maine)"
    assert met_by(root, now) == {"Cleo"}


def test_a_group_stands_in_brackets_only_beside_others(four):
    inner = grow(AnyOf, CustomerField.objects.create(value="VT"))
    lonely = grow(AllOf, inner)
    beside = grow(AllOf, CustomerField.objects.create(field="language", value="en"), inner.copy())

    assert lonely.summary() == "live in Vermont"
    assert beside.summary() == "have the language en and (live in Vermont)"


def test_who_bought_nothing_in_a_time_is_told_when_they_bought_last(four, now):
    ben, anna = (Customer.objects.get(first_name=name) for name in ("Ben", "Anna"))
    factories.order(ben, now - timedelta(days=30))
    lately = MadePurchase(operator=Count.NONE, window_days=21)

    assert lately.seen(ben, now) == "none in that time, the last ever on Oct 24"
    assert lately.seen(anna, now) == "no purchases"


def test_an_explanation_names_each_leaf_with_what_was_seen(four, now):
    root = grow(AllOf, CustomerField.objects.create(value="MA"), grow(NoneOf, MadePurchase.objects.create()))
    ben = Customer.objects.get(first_name="Ben")
    factories.order(ben, now - timedelta(days=2))

    why = root.explain(ben, now)

    assert not why.holds
    assert [(part.holds, part.seen) for part in why.parts] == [(True, "state: MA"), (False, "")]
    leaf = why.parts[1].parts[0]
    assert (leaf.sentence, leaf.holds, leaf.seen) == (
        "Made <b>at least 1</b> purchase",
        True,
        "1 purchase, the last on Nov 21",
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
        ("no such field", {"field": "password", "value": "x"}, "is not a valid choice"),
    ],
)
def test_customer_field_refuses(_case, fields, message):
    with pytest.raises(ValidationError, match=message):
        CustomerField(**fields).full_clean()


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


@pytest.mark.parametrize("kind", [JoinedLoyalty, MadePurchase])
def test_a_window_reaches_no_further_back_than_dates_do(now, kind):
    kind(window_days=36_500).full_clean()
    assert met_by(kind.objects.create(window_days=36_500), now) == set()
    with pytest.raises(ValidationError, match="less than or equal to 36500"):
        kind(window_days=36_501).full_clean()


@pytest.mark.parametrize(
    ("_case", "joined", "held"),
    [
        ("on the seventh midnight", 7, True),
        ("a day too short", 6, False),
        ("long ago", 90, True),
    ],
)
def test_in_a_segment_for_seven_days(_case, joined, held, now):
    club, who = segment(name="Club", kind="static"), factories.customer(first_name="Anna")
    at = now.replace(hour=23, minute=59) - timedelta(days=joined)
    Membership.objects.create(segment=club, customer=who, joined_at=at)
    condition = InSegment.objects.create(other=club, operator="in_for_days", days=7)

    assert bool(met_by(condition, now)) is held
    due = flips_at(condition, who, now)
    assert (due is None) is held
    if due:
        assert due.astimezone(NEW_YORK).isoformat() == "2026-11-24T00:00:00-05:00"
        assert met_by(condition, due.astimezone(NEW_YORK)) == {"Anna"}


def test_a_tree_that_is_not_saved_may_not_lead_back_to_its_segment_either():
    first, second = (segment(grow(AllOf), name) for name in ("First", "Second"))
    InSegment.objects.create(parent=second.root, other=first)
    tree = AllOf()
    tree.__dict__["_parts"] = [InSegment(other=second, operator="is_not_in")]

    with pytest.raises(ValidationError, match="“First” cannot ask who is in “Second”: “Second” asks for “First”"):
        must_not_ask_for_itself(first, tree.segments())
    must_not_ask_for_itself(segment(name="Third"), tree.segments())
