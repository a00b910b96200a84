from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import Subquery, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from loyaltyflow.store.models import Customer

from ..comparisons.number import plain
from ..comparisons.purchases import MeasuresPurchases, in_every_way, lines_of
from .base import Condition

UNITS = models.DecimalField(max_digits=16, decimal_places=3)


class BoughtUnits(MeasuresPurchases, Condition):
    """Has bought so many units: the quantities of all lines of their purchases together.

    Two packs in one order are two units, and one purchase. What was given back in part still counts, as shops do not
    tell of which line it was.
    """

    icon = "shopping_basket"
    shelf = "Purchases"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"value": 2, "product": "TEA-100", "window_days": 90},
        {"operator": "at_most", "value": 3},
        {"operator": "more_than", "value": 2.5, "category": "Coffee"},
        {"operator": "less_than", "value": 5, "window_days": 30},
        {"operator": "is", "value": 1, "brand": "Hill"},
        {"operator": "is_not", "value": 1},
        {"operator": "between", "value": 2, "upper": 6},
        *in_every_way(value=1),
    ]

    class Meta:
        verbose_name = "units bought"

    def amount(self, now: datetime) -> Combinable:
        units = lines_of(self, now).values(units=Sum("quantity"))
        return Coalesce(Subquery(units), Decimal(0), output_field=UNITS)

    def without(self) -> bool:
        return self.met_by(Decimal(0))

    def phrase(self) -> str:
        return f"bought {self.said_of('unit')}{self.of_what()}{self.when()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        found = self.measured(customer, now)
        return f"{plain(found)} {'unit' if found == 1 else 'units'}"
