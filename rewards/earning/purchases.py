"""Points for purchases: of orders, and what a bill would earn."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models import F

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Order, StoreSettings

from .. import ledger
from ..bill import Bill
from ..expiry import Policy
from ..models import Entry, Movement, Programme
from ..movements import planned_once
from .bills import of_bill, of_orders
from .sums import worked_out

COLUMNS = ("key", "customer", "occurred_at", "points", "order", "explanation", "rule")
# Movements that are worked out already.
WORKED_OUT = """
movements AS (
    SELECT key, customer, occurred_at, points, "order", NULL::bigint AS entry, explanation, rule::jsonb AS rule
    FROM unnest(%s::text[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::text[], %s::text[])
        AS known (key, customer, occurred_at, points, "order", explanation, rule)
)
"""


class Earned(NamedTuple):
    """What a rule gives for a bill, and how that is worked out."""

    rule: int
    points: int
    explanation: str


def quoted(
    bill: Bill, customer: int | None, factor: Decimal, now: datetime, programme: Programme | None = None
) -> list[Earned]:
    """What the bill would earn the customer by each rule, exactly as it will when it is an order; nothing is written.

    The bill's amounts are what is paid: after discounts and redeemed points. `factor` is what vouchers multiply points
    by. A rule of which a multiplier leaves nothing says so with 0 points. The programme is read unless it is given.
    """
    programme = programme or Programme.load()
    if customer is None or not programme.is_active:
        return []
    rows = worked_out(of_bill(bill, customer, factor), programme, store(), now)
    return [
        Earned(int(key.split(":")[1]), points, said)
        for key, points, said in planned_once(rows.values_list("key", "points", "explanation"))
    ]


def earn(
    orders: models.QuerySet[Order], now: datetime, factor: Decimal | None = None, programme: Programme | None = None
) -> int:
    """How many credits were new: one for each of the orders and each rule in force when it was completed.

    Only purchases of members earn, and each once by each rule; the points can be spent when the order's return window
    is over. `factor` is what vouchers multiply them by; without it it is as the till was told. The programme is
    read unless it is given.
    """
    programme, settings = programme or Programme.load(), store()
    if not programme.is_active:
        return 0
    return award(earning(orders, programme, now, factor, settings), programme, settings, now)


def earn_one(order: Order, now: datetime, factor: Decimal, programme: Programme) -> int:
    """As `earn` of a single order, whose points are worked out by a statement that is not planned each time."""
    if not programme.is_active:
        return 0
    settings = store()
    rows = earning(Order.objects.filter(pk=order.pk), programme, now, factor, settings).filter(points__gt=0)
    found = planned_once(rows.values_list(*COLUMNS))
    if not found:
        return 0
    movements = Movement.over(WORKED_OUT, [list(column) for column in zip(*found, strict=True)])
    return award(movements, programme, settings, now)


def earning(
    orders: models.QuerySet[Order],
    programme: Programme,
    now: datetime,
    factor: Decimal | None = None,
    settings: StoreSettings | None = None,
) -> models.QuerySet[Movement]:
    """What each of the orders that are purchases at `now` earns by each rule."""
    try:
        bills = of_orders(orders & Order.objects.purchases(now), factor)
    except EmptyResultSet:
        return Movement.objects.none()
    return worked_out(bills, programme, settings or store(), now)


def award(movements: models.QuerySet[Movement], programme: Programme, settings: StoreSettings, now: datetime) -> int:
    """How many of the credits for purchases were new."""
    return ledger.award(
        movements.filter(points__gt=0),
        kind=Entry.Kind.EARN,
        points="points",
        key="key",
        customer="customer",
        explanation="explanation",
        now=now,
        available_at=F("occurred_at") + timedelta(days=settings.return_window_days),
        occurred_at="occurred_at",
        order="order",
        rule="rule",
        policy=Policy(programme, settings),
    )
