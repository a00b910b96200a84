from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import OuterRef, Q, Subquery, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags import figures
from segments.comparisons.number import ComparesKnownNumber
from segments.conditions import Condition

from ..points import Entry


class PointsBalance(ComparesKnownNumber, Condition):
    """Has so many points now. Who never earned any has 0."""

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
        entries = Entry.objects.filter(customer=OuterRef("pk"), occurred_at__lte=now).order_by().values("customer")
        whole = models.BigIntegerField()
        balance = Subquery(entries.values(sum=Sum("points")), output_field=whole)
        return self.compares(Coalesce(balance, Value(0), output_field=whole))

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: each movement of points is an event."""
        return None

    def phrase(self) -> str:
        return f"have {self.said(figures.points)}"

    def seen(self, customer: Customer, now: datetime) -> str:
        entries = Entry.objects.filter(customer=customer, occurred_at__lte=now)
        return figures.points(entries.aggregate(sum=Sum("points"))["sum"] or 0)
