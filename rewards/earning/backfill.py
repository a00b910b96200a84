"""Points for purchases of the past, by the rules of today."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from loyaltyflow.store.intake.statistics import analyze
from loyaltyflow.store.models import Event, Order

from ..models import Account, Entry, Lot
from .purchases import earn
from .reversals import reverse

BATCH = 10_000


@dataclass
class Totals:
    """What a backfill gave: to whom, for how many orders, how many points and how many of them went back."""

    customers: set[int] = field(default_factory=set)
    orders: set[int] = field(default_factory=set)
    earned: int = 0
    taken_back: int = 0

    @property
    def points(self) -> int:
        return self.earned - self.taken_back

    def add(self, since: int, orders: list[int]) -> None:
        """Count the entries about the orders that are newer than the entry of that number."""
        made = Entry.objects.filter(pk__gt=since, order__any=orders).order_by()
        for customer, order, points in made.values_list("customer", "order", "points"):
            self.customers.add(customer)
            self.orders.add(order or 0)
            self.earned += max(points, 0)
            self.taken_back -= min(points, 0)


def past(since: datetime, now: datetime) -> list[int]:
    """The numbers of the purchases from `since` on, the earliest first."""
    orders = Order.objects.purchases(now).filter(completed_at__gte=since).order_by("completed_at", "pk")
    return list(orders.values_list("pk", flat=True))


def backfill(orders: list[int], now: datetime, totals: Totals, is_rehearsal: bool) -> Iterator[int]:
    """After each batch, how many of the orders were looked at; each earns once by each rule, whoever comes first.

    A rehearsal counts the same in `totals`, and leaves nothing behind.
    """
    for start in range(0, len(orders), BATCH):
        batch = orders[start : start + BATCH]
        with transaction.atomic():
            since = Entry.objects.aggregate(last=Max("pk", default=0))["last"]
            chosen = Order.objects.filter(pk__any=batch)
            earn(chosen, now)
            reverse(chosen, now)
            totals.add(since, batch)
            transaction.set_rollback(is_rehearsal)
        yield len(batch)
    if orders and not is_rehearsal:
        analyze((Entry, Lot, Account, Event))
