from datetime import datetime
from typing import Any, ClassVar

from django.db.models import F, Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import month_day
from loyaltyflow.words import strong

from ..comparisons.month_day import ComparesMonthDay, MonthDayOperator
from .base import Condition

CELL = (F("birth_month") - 1) * 31 + F("birth_day")  # see ComparesMonthDay


class Birthday(ComparesMonthDay, Condition):
    """The customer's birthday lies in a certain time of the year, whatever the year of birth.

    Who was born on February 29 has their birthday on February 28 in years that are no leap years.
    """

    icon = "cake"
    shelf = "Dates of theirs"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"operator": "today"},
        {"operator": "next_days", "days": 7},
        {"operator": "past_days", "days": 7},
        {"operator": "in_month", "month": 9},
        {"operator": "between", "month": 9, "day": 1, "last_month": 9, "last_day": 30},
        {"operator": "between", "month": 12, "day": 15, "last_month": 1, "last_day": 15},
        {"operator": "is_set"},
        {"operator": "is_not_set"},
    ]

    class Meta:
        verbose_name = "birthday"

    def q(self, now: datetime) -> Q:
        return self.compares(CELL, now)

    def flips(self, now: datetime) -> Combinable | None:
        return self.turns(CELL, now)

    def phrase(self) -> str:
        match self.operator:
            case MonthDayOperator.IS_SET:
                return f"have a {strong('known')} birthday"
            case MonthDayOperator.IS_NOT_SET:
                return f"have {strong('no known birthday')}"
        return f"have a birthday {self.said()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        if not customer.birth_month or not customer.birth_day:
            return "birthday: not known"
        return f"birthday: {month_day(customer.birth_month, customer.birth_day)}"
