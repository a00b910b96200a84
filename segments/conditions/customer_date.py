from datetime import date, datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import moment
from loyaltyflow.words import strong

from ..comparisons.dates import ComparesDate, DateOperator
from ..comparisons.window import CustomerDate as Dates
from .base import Condition


class CustomerDate(ComparesDate, Condition):
    """A day of the customer's own, such as when they registered, lies in a certain time.

    Days are those of the store's calendar. Who never registered did so on no day, and on none other either.
    """

    icon = "event_available"
    shelf = "Dates of theirs"
    words = "new customers since"
    labels: ClassVar[dict[str, str]] = {"field": "The day they"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"field": "registered_at", "operator": "past_days", "days": 21},
        {"field": "loyalty_joined_at", "operator": "next_days", "days": 2},
        {"field": "loyalty_joined_at", "operator": "more_than_days_ago", "days": 14},
        {"field": "loyalty_left_at", "operator": "more_than_days_ahead", "days": 1},
        {"field": "profile_completed_at", "operator": "on", "date": date(2026, 11, 20)},
        {"field": "registered_at", "operator": "not_on", "date": date(2026, 11, 20)},
        {"field": "created_at", "operator": "before", "date": date(2026, 9, 1)},
        {"field": "created_at", "operator": "on_or_before", "date": date(2026, 9, 1)},
        {"field": "registered_at", "operator": "after", "date": date(2026, 9, 1)},
        {"field": "registered_at", "operator": "on_or_after", "date": date(2026, 9, 1)},
        {"field": "loyalty_joined_at", "operator": "between", "date": date(2026, 9, 1), "until": date(2026, 11, 30)},
        {"field": "profile_completed_at", "operator": "is_set"},
        {"field": "loyalty_left_at", "operator": "is_not_set"},
    ]

    field = models.CharField("day", max_length=24, choices=Dates.choices, default=Dates.REGISTERED)

    class Meta:
        verbose_name = "day of the customer"

    def q(self, now: datetime) -> Q:
        return self.compares(F(self.field), now)

    def flips(self, now: datetime) -> Combinable | None:
        return self.turns(F(self.field), now)

    def phrase(self) -> str:
        match self.operator:
            case DateOperator.IS_SET:
                return f"{self.get_field_display()} {strong('at some time')}"
            case DateOperator.IS_NOT_SET:
                return f"{strong('never')} {self.get_field_display()}"
        return f"{self.get_field_display()} {self.said()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        at = getattr(customer, self.field)
        return f"{self.get_field_display()}: {moment(at) if at else 'never'}"
