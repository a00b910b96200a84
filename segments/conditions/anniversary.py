from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import DateTimeField, F, OuterRef, Q, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import LessThan

from loyaltyflow.store.models import Customer, Order
from loyaltyflow.store.templatetags.figures import moment
from loyaltyflow.words import strong

from ..comparisons.month_day import MOVING, CellOf, ComparesMonthDay, MonthDayOperator
from ..comparisons.window import CustomerDate
from .base import Condition

FIRST_PURCHASE = "first_purchase"


class Anniversary(ComparesMonthDay, Condition):
    """The day of the year on which they registered, joined or first bought lies in a certain time.

    Today and a number of days count from the first year after it on: who registered today has no anniversary yet.
    """

    icon = "celebration"
    shelf = "Dates of theirs"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"field": "registered_at", "operator": "today"},
        {"field": "loyalty_joined_at", "operator": "next_days", "days": 30},
        {"field": "first_purchase", "operator": "past_days", "days": 30},
        {"field": "first_purchase", "operator": "in_month", "month": 10},
        {"field": "created_at", "operator": "between", "month": 9, "day": 1, "last_month": 10, "last_day": 31},
        {"field": "registered_at", "operator": "between", "month": 11, "day": 1, "last_month": 1, "last_day": 15},
        {"field": "first_purchase", "operator": "is_set"},
        {"field": "first_purchase", "operator": "is_not_set"},
    ]

    field = models.CharField(
        "anniversary of the day they",
        max_length=24,
        choices=[*CustomerDate.choices, (FIRST_PURCHASE, "first bought")],
        default=CustomerDate.REGISTERED,
    )

    class Meta:
        verbose_name = "anniversary"

    def q(self, now: datetime) -> Q:
        asked = self.compares(self._cell(now), now)
        if self.operator not in MOVING:
            return asked
        is_earlier = Coalesce(LessThan(self._instant(now), self.begins(now)), Value(False))
        return asked & Q(is_earlier)

    def flips(self, now: datetime) -> Combinable | None:
        return self.turns(self._cell(now), now)

    def phrase(self) -> str:
        match self.operator:
            case MonthDayOperator.IS_SET:
                return f"{self.get_field_display()} {strong('at some time')}"
            case MonthDayOperator.IS_NOT_SET:
                return f"{strong('never')} {self.get_field_display()}"
        return f"have an anniversary {self.said()} of the day they {strong(self.get_field_display())}"

    def seen(self, customer: Customer, now: datetime) -> str:
        found = Customer.objects.annotate(found=self._instant(now)).values_list("found", flat=True).get(pk=customer.pk)
        return f"{self.get_field_display()}: {moment(found) if found else 'never'}"

    def _cell(self, now: datetime) -> Combinable:
        return CellOf(self._instant(now), now.tzinfo.key)  # type: ignore[union-attr]

    def _instant(self, now: datetime) -> Combinable:
        if self.field != FIRST_PURCHASE:
            return F(self.field)
        bought = Order.objects.purchases(now).filter(customer=OuterRef("pk")).order_by("completed_at")
        return Subquery(bought.values("completed_at")[:1], output_field=DateTimeField())
