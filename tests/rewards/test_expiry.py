"""When points expire, who is warned, and what staff may change about points that are there already."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Concat
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Customer, Event, StoreSettings
from rewards import ledger
from rewards.models import Entry, Lot, Programme
from tests import factories

from .points import give, holds

DAY = timedelta(days=1)
ZONE = ZoneInfo("America/New_York")
pytestmark = pytest.mark.django_db


def policy(**fields):
    Programme.load()
    Programme.objects.update(**fields)


def local(*parts):
    return datetime(*parts, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("_case", "fields", "earned", "expires"),
    [
        ("never", {"expiry": "never"}, local(2026, 7, 6, 10), None),
        ("a year, to the month's end", {"expiry": "months"}, local(2026, 7, 6, 10), local(2027, 8, 1)),
        ("late on the month's last evening", {"expiry": "months"}, local(2026, 7, 31, 23, 59), local(2027, 8, 1)),
        (
            "three months to the day's end",
            {"expiry": "months", "expiry_months": 3, "expires_at_month_end": False},
            local(2026, 11, 30, 10),
            local(2027, 3, 1),
        ),
        ("the next year's last day", {"expiry": "date"}, local(2026, 1, 1, 0), local(2028, 1, 1)),
        (
            "the end of the next February",
            {"expiry": "date", "expiry_month": 2, "expiry_day": 31},
            local(2027, 5, 5),
            local(2028, 3, 1),
        ),
        (
            "a day in June",
            {"expiry": "date", "expiry_month": 6, "expiry_day": 15},
            local(2027, 5, 5),
            local(2028, 6, 16),
        ),
        (
            "months after the last purchase",
            {"expiry": "inactivity", "expiry_months": 6},
            local(2026, 5, 5),
            local(2027, 5, 1),
        ),
    ],
)
def test_the_expiry_is_fixed_when_points_are_earned(now, _case, fields, earned, expires):
    policy(**fields)
    who = factories.customer()
    factories.order(who, local(2026, 10, 20, 12))
    give(who, 10, "gift", now, occurred_at=earned)
    lot = Lot.objects.get()
    assert (lot.expires_at, lot.earned_at) == (expires, earned)
    policy(expiry="months", expiry_months=1)
    lot.refresh_from_db()
    assert lot.expires_at == expires


def test_days_end_on_the_stores_clock(now):
    StoreSettings.load()
    StoreSettings.objects.update(time_zone="Asia/Tokyo")
    policy(expiry="months", expiry_months=1)
    give(factories.customer(), 10, "gift", now, occurred_at=datetime(2026, 10, 31, 15, tzinfo=UTC))
    assert Lot.objects.get().expires_at == datetime(2026, 12, 31, 15, tzinfo=UTC)


def test_a_warning_30_days_before_and_another_7_days_before(now):
    who = factories.customer()
    give(who, 10, "gift", now, expires_at=now + 40 * DAY)
    give(who, 5, "short", now, expires_at=now + 5 * DAY)
    told = [(day, ledger.warn(now + day * DAY)) for day in (0, 1, 9, 10, 11, 32, 33, 34, 40)]
    assert [(day, count) for day, count in told if count] == [(0, 1), (10, 1), (33, 1)]
    warnings = Event.objects.filter(name="points_expiring").order_by("occurred_at")
    assert [each.properties for each in warnings] == [
        {"points": 5, "days": 7},
        {"points": 10, "days": 30},
        {"points": 10, "days": 7},
    ]


MANY_LOTS = """
WITH entries AS (
    INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, explanation)
    SELECT %(customer)s, 'earn', 1, %(now)s, 'many:' || number, 'Many' FROM generate_series(1, 10000) AS number
    RETURNING id
)
INSERT INTO rewards_lot
    (entry_id, customer_id, points, remaining, state, earned_at, available_at, expires_at, days_warned)
SELECT id, %(customer)s, 1, 1, 'active', %(now)s, %(now)s, %(now)s + make_interval(days => (10 + id %% 10)::int), 30
FROM entries
"""


def test_a_tick_reads_only_what_is_newly_due_to_be_warned_of(now):
    """10,000 lots that expire within 30 days, of all of which their customer was told."""
    who, other = factories.customer(), factories.customer()
    give(other, 10, "gift", now, expires_at=now + 5 * DAY)
    with connection.cursor() as cursor:
        cursor.execute(MANY_LOTS, {"customer": who.pk, "now": now})
        cursor.execute("ANALYZE rewards_lot")
        with CaptureQueriesContext(connection) as captured:
            assert ledger.warn(now) == 1
        read = [each["sql"] for each in captured if each["sql"].startswith("SELECT") and "days_warned" in each["sql"]]
        plans = []
        for sql in read:
            cursor.execute(f"EXPLAIN {sql}")
            plans.append(" ".join(line for (line,) in cursor.fetchall()))
    assert [("using lot_to_warn_of " in plan, "using lot_to_warn_of_again " in plan) for plan in plans] == [
        (True, False),
        (False, True),
    ]


def test_nobody_is_warned_of_points_that_were_spent(now):
    who = factories.customer()
    give(who, 10, "gift", now, expires_at=now + 5 * DAY)
    ledger.redeem(who.pk, 10, key="till:1", explanation="Money off", now=now)
    assert ledger.warn(now) == 0


@pytest.mark.django_db(transaction=True)
def test_a_purchase_keeps_points_alive_that_idleness_ends(now):
    policy(expiry="inactivity", expiry_months=2, expires_at_month_end=False)
    who, other = factories.customer(), factories.customer()
    give(who, 10, "gift", now - 60 * DAY, occurred_at=now - 60 * DAY)
    give(who, 10, "fixed", now - 60 * DAY, expires_at=now + DAY)
    give(other, 10, "idle", now - 65 * DAY, occurred_at=now - 65 * DAY)
    assert ledger.lapse(now - 3 * DAY) == {"prolonged": 0, "activated": 0, "expired": 1, "warned": 2}

    factories.order(who, now)
    assert ledger.lapse(now) == {"prolonged": 1, "activated": 0, "expired": 0, "warned": 0}
    assert ledger.lapse(now)["prolonged"] == 0
    assert Lot.objects.get(entry__key="gift").expires_at == local(2027, 1, 24)
    assert Lot.objects.get(entry__key="fixed").expires_at == now + DAY
    [told] = Event.objects.filter(name="points_redated")
    assert (told.customer, told.occurred_at, told.properties) == (who, now, {"points": 10})
    assert (holds(who), holds(other)) == ((20, 0), (0, 0))


def test_points_that_are_there_get_new_dates_only_when_staff_ask_for_it(now, capsys, monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    who = factories.customer()
    give(who, 10, "forever", now)
    give(who, 20, "soon", now - 20 * DAY, occurred_at=now - 20 * DAY, expires_at=now + 3 * DAY)
    give(who, 40, "old", now - 700 * DAY, occurred_at=now - 700 * DAY)
    give(who, 80, "gone", now - 20 * DAY, expires_at=now)
    policy(expiry="months", expiry_months=12, grace_days=30)
    before = list(Lot.objects.order_by("pk").values_list("expires_at", flat=True))

    call_command("redate_points", dry_run=True)

    said = "3 lots of 1 customer: 20 points expire later than before (0 of them never), 50 earlier.\n"
    assert capsys.readouterr().out == f"Would change {said}"
    assert not Event.objects.filter(name="points_redated").exists()
    assert list(Lot.objects.order_by("pk").values_list("expires_at", flat=True)) == before

    call_command("redate_points")

    assert capsys.readouterr().out == f"Changed {said}"
    after = list(Lot.objects.order_by("pk").values_list("expires_at", flat=True))
    assert after == [local(2027, 12, 1), local(2027, 12, 1), now + 30 * DAY, now]
    assert Event.objects.get(name="points_redated").properties == {"points": 70}
    assert Programme.load().points_redated_at == now
    call_command("redate_points")
    assert Event.objects.filter(name="points_redated").count() == 1
    assert holds(who) == (150, 0)


def test_the_command_that_expires_points(now, capsys, monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    for number in range(3):
        give(factories.customer(), 10, f"gift:{number}", now - 9 * DAY, expires_at=now)
    call_command("expire_points")
    assert capsys.readouterr().out == "3 lots expired, of 3 customers.\n"
    call_command("expire_points")
    assert capsys.readouterr().out == "0 lots expired, of 0 customers.\n"
    assert not Lot.objects.filter(remaining__gt=0).exists()


def test_what_time_does_takes_the_same_statements_for_many_customers_as_for_a_few(now):
    def statements(count):
        prefix = f"{count}:"
        Customer.objects.bulk_create(Customer(email=f"{prefix}{number}@example.com") for number in range(count))
        people = Customer.objects.filter(email__startswith=prefix)
        kinds = {"waits": {"available_at": now}, "ends": {"expires_at": now}, "soon": {"expires_at": now + 7 * DAY}}
        for kind, more in kinds.items():
            ledger.award(
                people,
                kind=Entry.Kind.BOOST,
                points="pk",
                key=Concat("email", Value(kind)),
                customer="pk",
                explanation="email",
                now=now - 30 * DAY,
                **more,
            )
        with CaptureQueriesContext(connection) as captured:
            counts = ledger.lapse(now)
        assert counts == {"prolonged": 0, "activated": count, "expired": count, "warned": count}
        return len(captured)

    ledger.lapse(now)  # reads the events before
    assert statements(2) == statements(40)
