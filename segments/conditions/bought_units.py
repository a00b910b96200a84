from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Aggregate, Sum

from loyaltyflow.store.models import Customer

from ..comparisons.number import plain
from ..comparisons.purchases import AMOUNT, MeasuresPurchases, in_every_way
from .base import Condition


class BoughtUnits(MeasuresPurchases, Condition):
    """Has bought so many units: the quantities of all lines of their purchases together.

    Two packs in one order are two units, and one purchase. What was given back in part still counts, as shops do not
    tell of which line it was.
    """

    icon = "shopping_basket"
    shelf = "Purchases"
    words = "quantity how many"
    labels: ClassVar[dict[str, str]] = {"operator": "Units"}
    units: ClassVar[dict[str, str]] = {**MeasuresPurchases.units, "value": "units", "upper": "units"}
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

    def counts_lines(self) -> bool:
        return True

    def drawn(self, now: datetime) -> Aggregate:
        return Sum("quantity", output_field=AMOUNT)

    def phrase(self) -> str:
        return f"bought {self.said_of('unit')}{self.of_what()}{self.when()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        found = self.measured(customer, now)
        return f"{plain(found)} {'unit' if found == 1 else 'units'}"
