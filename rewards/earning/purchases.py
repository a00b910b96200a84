"""Points for purchases: of orders, and what a bill would earn."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models import F

from loyaltyflow.store.models import Order, StoreSettings

from .. import ledger
from ..bill import Bill
from ..models import Entry, Movement, Programme
from .bills import of_bill, of_orders
from .sums import worked_out


class Earned(NamedTuple):
    """What a rule gives for a bill, and how that is worked out."""

    rule: int
    points: int
    explanation: str


def quoted(bill: Bill, customer: int | None, factor: Decimal, now: datetime) -> list[Earned]:
    """What the bill would earn the customer by each rule, exactly as it will when it is an order; nothing is written.

    The bill's amounts are what is paid: after discounts and redeemed points. `factor` is what vouchers multiply points
    by. A rule of which a multiplier leaves nothing says so with 0 points.
    """
    programme = Programme.load()
    if customer is None or not programme.is_active:
        return []
    rows = worked_out(of_bill(bill, customer, factor), programme, StoreSettings.load(), now)
    return [
        Earned(int(key.split(":")[1]), points, said)
        for key, points, said in rows.values_list("key", "points", "explanation")
    ]


def earn(orders: models.QuerySet[Order], now: datetime, factor: Decimal = Decimal(1)) -> int:
    """How many credits were new: one for each of the orders and each rule in force when it was completed.

    Only purchases of members earn, and each once by each rule; the points can be spent when the order's return window
    is over. `factor` is what vouchers multiply them by.
    """
    programme = Programme.load()
    if not programme.is_active:
        return 0
    return award(earning(orders, programme, now, factor), StoreSettings.load(), now)


def earning(
    orders: models.QuerySet[Order], programme: Programme, now: datetime, factor: Decimal = Decimal(1)
) -> models.QuerySet[Movement]:
    """What each of the orders that are purchases at `now` earns by each rule."""
    try:
        bills = of_orders(orders & Order.objects.purchases(now), factor)
    except EmptyResultSet:
        return Movement.objects.none()
    return worked_out(bills, programme, StoreSettings.load(), now)


def award(movements: models.QuerySet[Movement], store: StoreSettings, now: datetime) -> int:
    """How many of the credits for purchases were new."""
    return ledger.award(
        movements.filter(points__gt=0),
        kind=Entry.Kind.EARN,
        points="points",
        key="key",
        customer="customer",
        explanation="explanation",
        now=now,
        available_at=F("occurred_at") + timedelta(days=store.return_window_days),
        occurred_at="occurred_at",
        order="order",
        rule="rule",
    )
