"""How vouchers end: revoked, and when their time is over."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Event
from rewards import endings
from rewards.vouchers import Voucher
from tests import factories

from .vouching import discount, give

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def voucher(code="A", **fields):
    return Voucher.objects.create(code=code, **{"discount": discount(), **fields})


def told(name):
    return list(Event.objects.named(name).order_by("pk").values_list("customer", "occurred_at", "properties"))


def test_a_revoked_voucher_says_why_and_is_an_event(now):
    who = factories.customer()
    mine, free = voucher("A", customer=who, assigned_at=now - DAY), voucher("B", state="free")
    used = voucher("C", customer=who, state="redeemed")

    assert endings.revoke(Voucher.objects.all(), "Given by mistake", now) == 2
    assert endings.revoke(Voucher.objects.all(), "Again", now + DAY) == 0

    rows = Voucher.objects.order_by("code").values_list("state", "note", "ended_at")
    assert list(rows) == [
        ("revoked", "Given by mistake", now),
        ("revoked", "Given by mistake", now),
        ("redeemed", "", None),
    ]
    assert told("voucher_revoked") == [(who.pk, now, {"voucher": mine.pk, "discount": mine.discount_id})]
    assert {free.pk, used.pk}.isdisjoint({event[2]["voucher"] for event in told("voucher_revoked")})


def test_revoking_takes_only_those_that_are_meant(now):
    voucher("A", note="keep"), voucher("B")
    assert endings.revoke(Voucher.objects.filter(code__in=["B"], note=""), "50% off? Too much", now) == 1
    assert endings.revoke(Voucher.objects.filter(pk__in=[]), "Nobody", now) == 0
    assert dict(Voucher.objects.values_list("code", "state")) == {"A": "issued", "B": "revoked"}


def test_a_voucher_expires_in_its_last_moment_once(now):
    who = factories.customer()
    ending = voucher("A", customer=who, assigned_at=now - DAY, expires_at=now)
    voucher("B", customer=who, assigned_at=now - DAY, expires_at=now + SECOND / 2)
    voucher("C", customer=who, assigned_at=now - DAY, expires_at=now - DAY, state="redeemed")
    voucher("D", expires_at=now - DAY)

    assert endings.expire(now)["expired"] == 2
    assert endings.expire(now)["expired"] == 0

    assert dict(Voucher.objects.values_list("code", "state")) == {
        "A": "expired",
        "B": "issued",
        "C": "redeemed",
        "D": "expired",
    }
    assert told("voucher_expired") == [(who.pk, now, {"voucher": ending.pk, "discount": ending.discount_id})]


def test_a_voucher_is_announced_seven_days_and_one_day_before_its_end(now):
    who = factories.customer()
    end = now + 20 * DAY
    one = voucher("A", customer=who, assigned_at=now, expires_at=end)
    moments = [end - 7 * DAY - SECOND, end - 7 * DAY, end - 6 * DAY, end - DAY, end - DAY + SECOND, end]

    assert [endings.expire(at)["expiring"] for at in moments] == [0, 1, 0, 1, 0, 0]

    common = {"voucher": one.pk, "discount": one.discount_id}
    assert told("voucher_expiring") == [
        (who.pk, end - 7 * DAY, common | {"days": 7}),
        (who.pk, end - DAY, common | {"days": 1}),
    ]


@pytest.mark.parametrize(
    ("_case", "given", "days"),
    [("for three days", -3, [1]), ("for half a day", -0.5, []), ("long ago, and nothing ran since", -30, [1])],
)
def test_what_is_announced_when_it_is_late(now, _case, given, days):
    end = now + 0.25 * DAY
    voucher("A", customer=factories.customer(), assigned_at=end + given * DAY, expires_at=end)
    endings.expire(now)
    assert [properties["days"] for _, _, properties in told("voucher_expiring")] == days


def test_a_tick_reads_only_vouchers_that_are_newly_due_to_be_announced(now):
    """10,000 vouchers that end within a week, of all of which their customers know, or knew when they got them."""
    of, who = discount(), factories.customer()
    Voucher.objects.bulk_create(
        Voucher(
            code=f"MANY{number}",
            discount=of,
            customer=who,
            assigned_at=now - DAY,
            expires_at=now + (2 + number % 4) * DAY,
            told_days=7 if number % 2 else None,
        )
        for number in range(10_000)
    )
    assert endings.expire(now) == {"expired": 0, "expiring": 0}
    assert not Voucher.objects.filter(told_days=None).exists()
    voucher("NEW", customer=who, assigned_at=now - 9 * DAY, expires_at=now + 3 * DAY)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE rewards_voucher")
        with CaptureQueriesContext(connection) as captured:
            assert endings.expire(now)["expiring"] == 1
        cursor.execute(f"EXPLAIN {captured[-1]['sql']}")
        plan = " ".join(line for (line,) in cursor.fetchall())
    assert "voucher_to_warn_of " in plan and "voucher_to_warn_of_again " in plan
    assert "Seq Scan on rewards_voucher " not in plan


def test_the_number_of_statements_does_not_depend_on_how_many_end(now):
    counts = []
    for people in (2, 20):
        of = discount(valid_days=people)
        for _ in range(people):
            factories.customer()
        give(of, now, f"cause {people}")
        with CaptureQueriesContext(connection) as captured:
            counts.append((endings.expire(now + (people + 1) * DAY)["expired"] >= people, len(captured)))
    assert counts == [(True, 2), (True, 2)]
