from datetime import date, datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags import figures
from loyaltyflow.words import strong
from segments.comparisons.number import ComparesKnownNumber
from segments.comparisons.window import InWindow
from segments.conditions import Condition

from ..points import Entry


class PointsEarned(ComparesKnownNumber, InWindow, Condition):
    """Has got so many points in a time, by purchases or from workflows, whatever became of them since."""

    icon = "add_circle"
    shelf = "Points"
    labels: ClassVar[dict[str, str]] = {"operator": "Got", "kind": "What for"}
    units: ClassVar[dict[str, str]] = {**InWindow.units, "value": "points", "upper": "points"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"value": 100, "window_days": 30},
        {"kind": "earn", "operator": "at_most", "value": 50, "since": date(2026, 9, 1), "until": date(2026, 11, 20)},
        {"kind": "boost", "operator": "is", "value": 0},
        {"operator": "more_than", "value": 20, "since_own": "loyalty_joined_at"},
        {"operator": "less_than", "value": 20, "window_days": 7},
        {"operator": "is_not", "value": 0, "window_days": 7},
        {"operator": "between", "value": 50, "upper": 500},
    ]

    class From(models.TextChoices):
        ANYTHING = "", "whatever they were for"
        PURCHASES = "earn", "by purchases"
        WORKFLOWS = "boost", "from workflows"

    kind = models.CharField("the points", max_length=12, choices=From.choices, default=From.ANYTHING, blank=True)

    class Meta:
        verbose_name = "points earned"

    def q(self, now: datetime) -> Q:
        credits = self._credits().filter(self.inside("occurred_at", now), customer=OuterRef("pk"))
        whole = models.BigIntegerField()
        earned = Subquery(credits.order_by().values("customer").values(sum=Sum("points")), output_field=whole)
        return self.compares(Coalesce(earned, Value(0), output_field=whole))

    def flips(self, now: datetime) -> Combinable | None:
        """When the first of the points in the time falls out of it."""
        credits = self._credits().filter(self.inside("occurred_at", now), customer=OuterRef("pk"))
        return self.falls_out(Subquery(credits.order_by("occurred_at").values("occurred_at")[:1]), now)

    def phrase(self) -> str:
        got = f"got {self.said(figures.points)}"
        words = f" {strong(self.get_kind_display())}" if self.kind else ""
        return f"{got}{words}{self.when()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        credits = self._credits().filter(self.inside("occurred_at", now, customer), customer=customer)
        return figures.points(credits.aggregate(sum=Sum("points"))["sum"] or 0)

    def _credits(self) -> QuerySet[Entry]:
        credits = Entry.objects.gained()
        return credits.filter(kind=self.kind) if self.kind else credits
