"""Points that expire in the next days: exactly from which moment to which."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.models import Value
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Customer
from rewards import ledger
from rewards.conditions import PointsExpiring
from rewards.models import Entry
from tests import factories

from .moments import MOMENT
from .population import found
from .test_contract import flips_of, local

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
ZONE = ZoneInfo("America/New_York")


def at(*parts):
    return datetime(*parts, tzinfo=ZONE)


def give(who, points, then, ends, available=None):
    ledger.award(
        Customer.objects.filter(pk=who.pk),
        kind=Entry.Kind.EARN,
        points=Value(points),
        key=Value(f"test:{Entry.objects.count()}"),
        customer="pk",
        explanation=Value("Earned"),
        now=then,
        available_at=available or then,
        expires_at=ends,
    )


@pytest.mark.parametrize(
    ("_case", "moment", "expected"),
    [
        ("the day before the window reaches their last day", at(2026, 11, 23, 23, 59, 59, 999999), False),
        ("the first day on which it does", at(2026, 11, 24), True),
        ("the last moment to spend them", at(2026, 11, 30, 23, 59, 59, 999999), True),
        ("expired", at(2026, 12, 1), False),
    ],
)
def test_points_that_expire_at_a_midnight_count_by_the_day_before_it(_case, moment, expected):
    who = factories.customer()
    give(who, 50, at(2026, 11, 1), at(2026, 12, 1))
    assert found(PointsExpiring(value=Decimal(50), days=6).q(moment)) == ({who.pk} if expected else set())


def test_it_flips_when_the_window_reaches_them_and_when_they_expire():
    """Across the night in which clocks are set back."""
    who = factories.customer()
    give(who, 50, at(2026, 10, 1), at(2026, 11, 3, 15, 30))
    give(who, 20, at(2026, 10, 1), at(2026, 11, 5))
    one, moment, flips = PointsExpiring(value=Decimal(50), days=3), at(2026, 10, 20, 9), []
    while (flip := flips_of(one.flips(moment))[who.pk]) is not None:
        moment = local(flip, moment)
        flips.append((moment, found(one.q(local(flip - MOMENT, moment))) != found(one.q(moment))))

    assert flips == [
        (at(2026, 10, 31), True),
        (at(2026, 11, 1), False),
        (at(2026, 11, 3, 15, 30), True),
        (at(2026, 11, 5), False),
    ]


@pytest.mark.parametrize(
    ("operator", "value", "days", "expected"),
    [
        ("at_least", 71, 6, False),
        ("at_least", 70, 6, True),
        ("is", 30, 0, True),
        ("is", 70, 6, True),
        ("is", 170, 30, True),
        ("is_not", 30, 0, False),
        ("at_most", 0, 0, False),
    ],
)
def test_points_of_all_that_expire_in_the_time_are_added_up(operator, value, days, expected, now):
    """Those that never expire, have expired or come later count for nothing."""
    who, begin = factories.customer(), now.replace(hour=0, minute=0, second=0, microsecond=0)
    for points, days_ahead in ((30, 1), (40, 7), (100, 31), (500, 32)):
        give(who, points, now - 40 * DAY, begin + days_ahead * DAY)
    give(who, 900, now - 40 * DAY, now)
    give(who, 800, now - 40 * DAY, None)
    one = PointsExpiring(operator=operator, value=Decimal(value), days=days)
    assert (who.pk in found(one.q(now))) is expected


def test_what_was_spent_counts_until_it_was_and_what_waits_counts_too(now):
    who = factories.customer()
    give(who, 50, now - 10 * DAY, now + 2 * DAY)
    give(who, 30, now - 10 * DAY, now + 3 * DAY, available=now + DAY)
    ledger.redeem(who.pk, 20, key="test", explanation="Spent", now=now)
    one = PointsExpiring(value=Decimal(80), days=5)

    assert found(one.q(now - MOMENT)) == {who.pk}
    assert found(one.q(now)) == set()
    assert found(PointsExpiring(operator="is", value=Decimal(60), days=5).q(now)) == {who.pk}
    assert one.seen(who, now) == "60 pts, the first of them after Nov 25"
    assert one.seen(factories.customer(), now) == "no points expire so soon"


def test_it_reads_well():
    assert PointsExpiring(value=Decimal(50), days=30).summary() == (
        "have at least 50 pts that expire in the next 30 days"
    )
    assert PointsExpiring(operator="more_than", value=Decimal(0), days=0).summary() == (
        "have more than 0 pts that expire today"
    )


def test_it_is_one_statement_for_all(now):
    def statements(people):
        for _ in range(people):
            give(factories.customer(), 50, now, now + 2 * DAY)
        with CaptureQueriesContext(connection) as captured:
            inside = found(PointsExpiring(value=Decimal(50), days=5).q(now))
        assert len(inside) == Customer.objects.count()
        return len(captured)

    assert statements(2) == statements(40) == 1
