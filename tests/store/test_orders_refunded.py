"""An order of which everything was paid back is no purchase, also if nobody says when."""

from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.db import connection
from django.db.models import Sum

from loyaltyflow.store.intake import ORDERS, Context, Intake
from loyaltyflow.store.models import Event, Order, Refund, StoreSettings
from tests import factories

migration = import_module("loyaltyflow.store.migrations.0002_keep_each_refund_of_an_order")

ROW = {
    "order_number": "1",
    "email": "ann@example.com",
    "placed_at": "2026-11-01T12:00:00Z",
    "completed_at": "2026-11-01T12:00:00Z",
    "net": "20.00",
}


def take(at: datetime, **more: str) -> dict[str, int]:
    intake = Intake(ORDERS, Context.of(StoreSettings.load(), at, "test"))
    row = {**ROW, **more}
    intake.add([1], {column.name: [row.get(column.name, "")] for column in ORDERS.columns})
    return intake.merge().counts


@pytest.mark.django_db
def test_an_order_that_was_wholly_paid_back_counts_as_refunded_from_the_moment_we_learn_it(now: datetime) -> None:
    take(now, refunded="5.00")
    assert Order.objects.get().refunded_at is None

    take(now, refunded="20.00")
    assert Order.objects.get().refunded_at == now
    assert Order.objects.purchases(now).count() == 0

    assert take(now + timedelta(days=1), refunded="20.00")["unchanged"] == 1
    assert Order.objects.get().refunded_at == now


def refunds() -> list[tuple[str, datetime]]:
    return [(str(amount), at) for amount, at in Refund.objects.order_by("at", "pk").values_list("amount", "at")]


@pytest.mark.django_db
def test_each_refund_is_kept_with_its_time(now: datetime) -> None:
    hours = [now + timedelta(hours=number) for number in range(4)]

    take(hours[0], refunded="5.00")
    take(hours[1])
    take(hours[2], refunded="5.00")
    take(hours[3], refunded="20.00")

    assert refunds() == [("5.00", hours[0]), ("15.00", hours[3])]
    assert kept(hours[0] - timedelta(microseconds=1)) == Decimal("20.00")
    assert [kept(hour) for hour in hours] == [Decimal("15.00")] * 3 + [Decimal(0)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("_case", "told", "expected"),
    [
        ("less", "3.00", [("3.00", 1)]),
        ("nothing", "0.00", []),
        ("the same", "9.50", [("5.00", 0), ("4.50", 1)]),
        ("more", "10.00", [("5.00", 0), ("4.50", 1), ("0.50", 2)]),
    ],
)
def test_refunds_that_were_told_wrongly_are_replaced(_case, told, expected, now: datetime) -> None:
    take(now, refunded="5.00")
    take(now + timedelta(hours=1), refunded="9.50")

    take(now + timedelta(hours=2), refunded=told)

    assert refunds() == [(amount, now + timedelta(hours=hour)) for amount, hour in expected]
    assert (Refund.objects.aggregate(sum=Sum("amount"))["sum"] or 0) == Order.objects.get().refunded == Decimal(told)


@pytest.mark.django_db
@pytest.mark.parametrize(("_case", "told"), [("less", "5.00"), ("nothing", "0.00")])
def test_an_order_of_which_not_all_was_paid_back_after_all_is_a_purchase_again(_case, told, now: datetime) -> None:
    take(now, refunded="20.00")
    take(now, refunded=told)
    assert (Order.objects.get().refunded, Order.objects.get().refunded_at) == (Decimal(told), None)
    assert Order.objects.purchases(now).count() == 1


@pytest.mark.django_db
def test_a_refund_with_a_time_stands_at_that_time(now: datetime) -> None:
    at = now - timedelta(days=2)

    take(now, refunded="20.00", refunded_at=at.isoformat())

    assert refunds() == [("20.00", at)]


@pytest.mark.django_db
def test_a_time_ahead_that_is_corrected_is_told_when_it_comes(now: datetime) -> None:
    take(now, refunded="5.00")
    ahead = now + timedelta(minutes=4)

    take(now, refunded="20.00", refunded_at=ahead.isoformat())

    told = Event.objects.filter(name="order_updated").order_by("occurred_at")
    assert list(told.values_list("occurred_at", flat=True)) == [now, ahead]


@pytest.mark.django_db
def test_the_sums_that_were_kept_before_become_refunds(now: datetime) -> None:
    who = factories.customer()
    day = timedelta(days=1)
    partly = factories.order(who, now - 9 * day, refunded=Decimal("5.00"))
    wholly = factories.order(who, now - 8 * day, refunded=Decimal("20.00"), refunded_at=now - day)
    unheard = factories.order(who, now - 7 * day, refunded=Decimal("1.00"))
    factories.order(who, now - 6 * day)
    factories.happened("order_refunded", who.pk, now - 2 * day, f"order_refunded:{partly.pk}")
    Refund.objects.all().delete()

    with connection.cursor() as cursor:
        cursor.execute(migration.FILL)

    found = {each.order_id: (each.amount, each.at) for each in Refund.objects.all()}
    assert found == {
        partly.pk: (Decimal("5.00"), now - 2 * day),
        wholly.pk: (Decimal("20.00"), now - day),
        unheard.pk: (Decimal("1.00"), now - 7 * day),
    }


def kept(at: datetime) -> Decimal:
    return Order.objects.annotate(left=Order.kept_by(at)).get().left
