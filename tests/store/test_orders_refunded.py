"""An order of which everything was paid back is no purchase, also if nobody says when."""

from datetime import datetime, timedelta

import pytest

from loyaltyflow.store.intake import ORDERS, Context, Intake
from loyaltyflow.store.models import Order, StoreSettings

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
