from datetime import date, datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, When
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer, Order
from loyaltyflow.store.templatetags.figures import day
from loyaltyflow.words import strong

from ..comparisons.dates import ComparesDate, DateOperator
from ..comparisons.purchases import SORTS, OfPurchases
from .base import Condition

AHEAD = {DateOperator.NEXT_DAYS, DateOperator.DAYS_AHEAD}  # no purchase lies there


class PurchaseDate(ComparesDate, OfPurchases, Condition):
    """Has bought for the first or the last time on certain days."""

    icon = "event_available"
    shelf = "Purchases"
    labels: ClassVar[dict[str, str]] = {
        "which": "Which purchase",
        "operator=is_set": "At any time",
        "operator=is_not_set": "Never",
    }
    examples: ClassVar[list[dict[str, Any]]] = [
        {"operator": "more_than_days_ago", "days": 60},
        {"operator": "past_days", "days": 21, "category": "Tea"},
        {"which": "first", "operator": "past_days", "days": 0},
        {"which": "first", "operator": "on", "date": date(2026, 11, 23)},
        {"operator": "not_on", "date": date(2026, 11, 23)},
        {"operator": "before", "date": date(2026, 10, 15)},
        {"which": "first", "operator": "on_or_before", "date": date(2026, 10, 15)},
        {"operator": "after", "date": date(2026, 10, 15)},
        {"which": "first", "operator": "on_or_after", "date": date(2026, 10, 15)},
        {"which": "first", "operator": "between", "date": date(2026, 9, 1), "until": date(2026, 10, 31)},
        {"operator": "is_set", "discount": "used"},
        {"operator": "is_not_set"},
        *({"operator": "past_days", "days": 90, **sort} for sort in SORTS),
    ]

    class Which(models.TextChoices):
        FIRST = "first", "first"
        LAST = "last", "last"

    which = models.CharField("purchase", max_length=5, choices=Which.choices, default=Which.LAST)
    operator = models.CharField(
        max_length=22,
        choices=[(each.value, each.label) for each in DateOperator if each not in AHEAD],
        default=DateOperator.DAYS_AGO,
    )

    asked_with = {**ComparesDate.asked_with, **OfPurchases.asked_with}
    units = ComparesDate.units

    class Meta:
        verbose_name = "first or last purchase"

    def q(self, now: datetime) -> Q:
        """Those who bought nothing of the sort are told apart first, at once, and no date is looked up for them."""
        any_bought = Q(Exists(self._purchases(now)))
        match self.operator:
            case DateOperator.IS_SET:
                return any_bought
            case DateOperator.IS_NOT_SET:
                return ~any_bought
        if not self.is_asked_of_everybody():
            return any_bought & self.compares(self._instant(now), now)
        chosen = models.Min if self.which == self.Which.FIRST else models.Max
        groups = self.bought(now).order_by().values("customer").annotate(chosen=chosen("completed_at"))
        return Q(pk__in=groups.filter(self.compares(F("chosen"), now)).values("customer"))

    def flips(self, now: datetime) -> Combinable | None:
        instant = self.turns(self._instant(now), now)
        if instant is None or self.is_of_any_sort():
            return instant
        if self.is_asked_of_everybody():
            return Case(When(pk__in=self.bought(now).order_by().values("customer"), then=instant))
        return Case(When(Exists(self._purchases(now)), then=instant))

    def phrase(self) -> str:
        what = self.of_what()
        match self.operator:
            case DateOperator.IS_SET:
                return f"have {strong('ever')} made a purchase{what}"
            case DateOperator.IS_NOT_SET:
                return f"have {strong('never')} made a purchase{what}"
        return f"made their {strong(self.get_which_display())} purchase{what} {self.said()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        found = Customer.objects.annotate(found=self._instant(now)).values_list("found", flat=True).get(pk=customer.pk)
        return f"{self.get_which_display()} purchase on {day(found)}" if found else "no purchases"

    def _purchases(self, now: datetime) -> models.QuerySet[Order]:
        return self.bought(now).filter(customer=OuterRef("pk"))

    def _instant(self, now: datetime) -> Combinable:
        order = "completed_at" if self.which == self.Which.FIRST else "-completed_at"
        return Subquery(self._purchases(now).order_by(order).values("completed_at")[:1])
