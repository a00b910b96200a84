from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Case, F, IntegerField, Q, Value, When
from django.db.models.expressions import Combinable

from loyaltyflow.sql import InArray
from loyaltyflow.store.models import Customer

from ..comparisons.month_day import CELLS, at_midnights, in_year
from ..comparisons.number import ComparesNumber, NumberOperator
from .base import Condition
from .birthday import CELL


class Age(ComparesNumber, Condition):
    """How many years old the customer is, in full years; needs the year of birth as well as the day.

    Who was born on February 29 turns a year older on February 28 in years that are no leap years.
    """

    icon = "hourglass_bottom"
    shelf = "About them"
    labels: ClassVar[dict[str, str]] = {"operator": "Age"}
    units: ClassVar[dict[str, str]] = {"value": "years", "upper": "years"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"operator": "at_least", "value": 18},
        {"operator": "at_most", "value": 65},
        {"operator": "more_than", "value": 40},
        {"operator": "less_than", "value": 30},
        {"operator": "is", "value": 21},
        {"operator": "is_not", "value": 21},
        {"operator": "between", "value": 25, "upper": 34},
        {"operator": "is_set"},
        {"operator": "is_not_set"},
    ]

    class Meta:
        verbose_name = "age"

    def q(self, now: datetime) -> Q:
        return self.compares(self._years(now))

    def flips(self, now: datetime) -> Combinable | None:
        """At the next birthday of those whose age is known."""
        today = now.date()
        years = (today.year, today.year + 1)
        nexts = [min(day for day in (in_year(each, year) for year in years) if day > today) for each in CELLS]
        return Case(When(birth_year__isnull=False, then=at_midnights([*nexts], CELL, now)))

    def phrase(self) -> str:
        match self.operator:
            case NumberOperator.IS_SET | NumberOperator.IS_NOT_SET:
                return f"are of an age that is {self.said()}"
        return f"are {self.said_of('year')} old"

    def seen(self, customer: Customer, now: datetime) -> str:
        years = Customer.objects.annotate(years=self._years(now)).values_list("years", flat=True).get(pk=customer.pk)
        return "age: not known" if years is None else f"age: {years}"

    def _years(self, now: datetime) -> Combinable:
        """Full years since birth; NULL for those who are not born yet, too."""
        today = now.date()
        to_come = [number for number, cell in enumerate(CELLS, 1) if in_year(cell, today.year) > today]
        is_to_come = Q(InArray(CELL, to_come))
        years = Value(today.year) - F("birth_year")
        return Case(
            When(Q(birth_month=None) | Q(birth_day=None) | Q(birth_year=None), then=None),
            When(Q(birth_year__gt=today.year) | Q(birth_year=today.year) & is_to_come, then=None),
            When(is_to_come, then=years - 1),
            default=years,
            output_field=IntegerField(),
        )
