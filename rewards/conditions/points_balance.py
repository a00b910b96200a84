from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Greatest, Least

from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags import figures
from segments.comparisons.number import ComparesKnownNumber
from segments.conditions import Condition

from ..points import Draw, Entry, Lot


class PointsBalance(ComparesKnownNumber, Condition):
    """Has so many points to spend now: without those that wait or have expired. Who never earned any has 0."""

    icon = "stars"
    shelf = "Points"
    labels: ClassVar[dict[str, str]] = {"operator": "Has"}
    units: ClassVar[dict[str, str]] = {"value": "points", "upper": "points"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"value": 500},
        {"operator": "at_most", "value": 0},
        {"operator": "more_than", "value": 100},
        {"operator": "less_than", "value": 100},
        {"operator": "is", "value": 100},
        {"operator": "is_not", "value": 0},
        {"operator": "between", "value": 50, "upper": 500},
    ]

    class Meta:
        verbose_name = "points balance"

    def q(self, now: datetime) -> Q:
        return self.compares(Greatest(_sum(_moved(now)) - _sum(_waiting(now)) - _sum(_lapsed(now)), Value(0)))

    def flips(self, now: datetime) -> Combinable | None:
        """When points that wait can be spent, or others expire; any other movement of points is an event."""
        lots = Lot.objects.filter(customer=OuterRef("pk"), remaining__gt=0)
        available = lots.filter(available_at__gt=now).order_by("available_at").values("available_at")[:1]
        expired = lots.filter(expires_at__gt=now).order_by("expires_at").values("expires_at")[:1]
        return Least(Subquery(available), Subquery(expired))

    def phrase(self) -> str:
        return f"have {self.said(figures.points)}"

    def seen(self, customer: Customer, now: datetime) -> str:
        known = Customer.objects.filter(pk=customer.pk)
        points = known.values_list(_sum(_moved(now)) - _sum(_waiting(now)) - _sum(_lapsed(now)), flat=True)
        return figures.points(max(0, points.get()))


def _sum(points: QuerySet[Any, Any]) -> Combinable:
    """The points of a customer's rows, which are named `moved`; 0 without any."""
    whole = models.BigIntegerField()
    summed = points.order_by().values("customer").values(sum=Sum("moved"))
    return Coalesce(Cast(Subquery(summed), whole), Value(0), output_field=whole)


def _moved(now: datetime) -> QuerySet[Any, Any]:
    """All that had moved by then: what could be spent, what waited, and what had lapsed with nobody noting it yet."""
    return Entry.objects.filter(customer=OuterRef("pk"), occurred_at__lte=now).annotate(moved=F("points"))


def _waiting(now: datetime) -> QuerySet[Any, Any]:
    """Lots that could not be spent yet, less what had been taken from them."""
    draws = Draw.objects.filter(lot=OuterRef("pk"), at__lte=now).order_by().values("lot")
    drawn = Coalesce(Cast(Subquery(draws.values(sum=Sum("points"))), models.BigIntegerField()), Value(0))
    lots = Lot.objects.filter(customer=OuterRef("pk"), available_at__gt=now, entry__occurred_at__lte=now)
    return lots.annotate(moved=F("points") - drawn)


def _lapsed(now: datetime) -> QuerySet[Any, Any]:
    """Lots that had expired and still have points, because the tick has not come to them yet."""
    lots = Lot.objects.filter(customer=OuterRef("pk"), expires_at__lte=now, available_at__lte=now, remaining__gt=0)
    return lots.annotate(moved=F("remaining"))
