"""Points for purchases: of orders, and what a bill would earn."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models import F

from loyaltyflow import planned
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Order, StoreSettings

from .. import ledger
from ..bill import Bill
from ..expiry import Policy
from ..models import Entry, Movement, Programme
from .bills import of_bill, of_order, of_orders
from .sums import queries, worked_out

# What is worked out, as the ledger takes it.
CREDITED = ("kind", "key", "customer", "occurred_at", "points", "order", "explanation", "rule")
CREDITS = """
SELECT 'earn' AS _kind, key AS _key, customer AS _customer, occurred_at AS _occurred_at, points AS _points,
    "order" AS _order, explanation AS _explanation, rule AS _rule,
    occurred_at + make_interval(days => %s) AS _available_at
FROM movements WHERE points > 0 ORDER BY customer, key
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
    known, parameters = queries(of_bill(bill, customer, factor), programme, store(), now)
    return _each(planned.rows(f"WITH {known} SELECT key, points, explanation FROM movements", parameters))


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


def earn_one(order: int, now: datetime, factor: Decimal, programme: Programme) -> list[Earned]:
    """What an order has earned that is a purchase: as `earn`, by a statement that is planned once."""
    if not programme.is_active:
        return []
    settings = store()
    known, parameters = queries(of_order(order, factor), programme, settings, now)
    made = ledger.award_planned(
        f"WITH {known} {CREDITS}",
        [*parameters, settings.return_window_days],
        CREDITED,
        kind=Entry.Kind.EARN,
        policy=Policy(programme, settings),
        now=now,
    )
    return _each(made)


def _each(rows: Iterable[tuple[str, int, str]]) -> list[Earned]:
    return [Earned(int(key.split(":")[1]), points, said) for key, points, said in rows]


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
