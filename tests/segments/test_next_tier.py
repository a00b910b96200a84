"""Who is close to the next tier, by whatever way the programme counts."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.models import Value
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Customer, Refund
from rewards import ledger
from rewards.conditions import NearNextTier, PointsEarned
from rewards.models import Entry, Programme, Standing, Tier
from tests import factories

from . import histories, plain
from .moments import MOMENT
from .population import found, judged, known, next_event, populate
from .test_contract import flips_of, local, quiet_until

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
ZONE = ZoneInfo("America/New_York")


def at(*parts):
    return datetime(*parts, tzinfo=ZONE)


def programme(**fields):
    Programme.objects.update_or_create(pk=1, defaults=fields)


def tiers():
    return [Tier.objects.create(name=name, threshold=least) for name, least in (("Silver", 100), ("Gold", 500))]


def member(points=0, then=None, tier=None):
    who = factories.customer(loyalty_joined_at=at(2020, 1, 1))
    if points:
        ledger.award(
            Customer.objects.filter(pk=who.pk),
            kind=Entry.Kind.EARN,
            points=Value(points),
            key=Value(f"test:{who.pk}"),
            customer="pk",
            explanation=Value("Earned"),
            now=then,
        )
    if tier:
        Standing.objects.create(customer=who, tier=tier, since=at(2020, 1, 1), reason="reached")
    return who


@pytest.mark.parametrize(
    "fields",
    [
        {"tier_months": 1},
        {"tier_months": 3, "tier_counts_gifts": True},
        {"tier_window": "year"},
        {"tier_basis": "spend", "tier_months": 1},
        {"tier_basis": "spend", "tier_window": "year"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "now", [at(2026, 3, 31), at(2026, 1, 1), at(2026, 2, 28, 23, 30), at(2026, 12, 31, 12)], ids=str
)
def test_the_database_and_plain_python_agree_however_it_is_counted(fields, now):
    programme(**fields)
    histories.furnish()
    one, chance = NearNextTier(value=Decimal(460)), Random(str(fields))
    people = populate(chance, 30, now, one, PointsEarned(value=Decimal(1)))
    Customer.objects.filter(pk__any=[who.pk for who in people[:20]]).update(
        loyalty_joined_at=at(2020, 1, 1), loyalty_left_at=None
    )
    facts = known()
    before, flips = judged(one, facts, now), flips_of(one.flips(now))

    assert found(one.q(now)) == before
    assert 0 < len(before) < len(facts)
    for pk, flip in flips.items():
        assert flip is None or flip > now
        until = quiet_until(flip, next_event(facts[pk], now), now, chance)
        if until is not None:
            assert plain.holds(one, facts[pk], until) == (pk in before), (flip, until)
    for edge in chance.sample(edges := sorted({flip for flip in flips.values() if flip}), min(4, len(edges))):
        for moment in (local(edge - MOMENT, now), local(edge, now)):
            assert found(one.q(moment)) == judged(one, facts, moment), moment


@pytest.mark.parametrize(
    ("_case", "points", "value", "expected"),
    [
        ("just as many as are missing", 400, 100, True),
        ("one too few", 399, 100, False),
        ("enough already, and not judged yet", 500, 0, True),
        ("one is missing", 499, 0, False),
    ],
)
def test_what_is_missing_to_the_tier_above_ones_own(_case, points, value, expected, now):
    silver, _gold = tiers()
    who = member(points, now, silver)
    assert found(NearNextTier(value=Decimal(value)).q(now)) == ({who.pk} if expected else set())


def test_who_is_in_no_tier_has_the_lowest_before_them_and_who_is_in_the_highest_none(now):
    _silver, gold = tiers()
    newcomer, top, stranger = member(), member(600, now, gold), factories.customer()
    one = NearNextTier(value=Decimal(100))

    assert found(one.q(now)) == {newcomer.pk}
    assert found(NearNextTier(value=Decimal(99)).q(now)) == set()
    assert [one.seen(who, now) for who in (newcomer, top, stranger)] == [
        "100 pts to Silver",
        "is in the highest tier, Gold",
        "is no member of the loyalty programme",
    ]


@pytest.mark.parametrize(
    ("earned", "months", "out"),
    [
        (at(2026, 1, 30, 12), 1, at(2026, 3, 1)),
        (at(2026, 2, 28, 12), 6, at(2026, 9, 1)),
        (at(2026, 3, 31, 23, 59), 12, at(2027, 4, 1)),
        (at(2026, 10, 31), 1, at(2026, 12, 1)),
    ],
    ids=str,
)
def test_points_count_until_the_day_on_which_they_leave_the_window(earned, months, out):
    """Up to three days before, the customer is looked at again each day; never too late."""
    programme(tier_months=months)
    silver, _gold = tiers()
    who = member(450, earned, silver)
    one, moment, looks = NearNextTier(value=Decimal(50)), earned.astimezone(ZONE), []
    while who.pk in found(one.q(moment)):
        [flip] = flips_of(one.flips(moment)).values()
        moment = local(flip, moment)
        looks.append(moment)

    assert looks[-1] == out
    assert found(one.q(local(out - MOMENT, out))) == {who.pk}
    assert len(looks) <= 7


def test_money_counts_less_what_was_paid_back_by_then(now):
    programme(tier_basis="spend")
    silver, _gold = tiers()
    who = member(tier=silver)
    order = factories.order(who, now - 2 * DAY, "420.00")
    one = NearNextTier(value=Decimal("80.00"))
    assert found(one.q(now)) == {who.pk}
    assert one.summary() == "are at most 80 away from the next tier"
    Refund.objects.create(order=order, amount=Decimal("0.01"), at=now)
    order.refunded = Decimal("0.01")
    order.save(update_fields=["refunded"])

    assert found(one.q(now)) == set()
    assert found(one.q(now - MOMENT)) == {who.pk}
    assert one.seen(who, now) == "$80.01 to Gold"


@pytest.mark.parametrize("change", [{"tier_basis": "spend"}, {"tier_months": 3}, {"tier_counts_gifts": True}], ids=str)
def test_everybody_is_judged_again_when_the_programme_or_a_threshold_changes(change):
    silver, _gold = tiers()
    one = NearNextTier(value=Decimal(1))
    before = one.rests_on()
    assert one.rests_on() == before
    programme(**change)
    after = one.rests_on()
    assert after != before
    Tier.objects.filter(pk=silver.pk).update(threshold=101)
    assert one.rests_on() != after


def test_the_number_of_statements_does_not_depend_on_the_number_of_customers(now):
    silver, _gold = tiers()
    one = NearNextTier(value=Decimal(100))

    def statements(people):
        for _ in range(people):
            member(400, now, silver)
        with CaptureQueriesContext(connection) as captured:
            near = found(one.q(now))
        assert len(near) == Customer.objects.count()
        return len(captured)

    Programme.load()
    assert statements(2) == statements(40) == 2
