from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Aggregate, Count

from loyaltyflow.store.models import Customer
from loyaltyflow.words import number

from ..comparisons.purchases import MeasuresPurchases, in_every_way
from .base import Condition


class BoughtProducts(MeasuresPurchases, Condition):
    """Has bought so many different products, however many of each."""

    icon = "category"
    shelf = "Purchases"
    labels: ClassVar[dict[str, str]] = {"operator": "Different products"}
    units: ClassVar[dict[str, str]] = {**MeasuresPurchases.units, "value": "products", "upper": "products"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"value": 3},
        {"operator": "at_most", "value": 1, "window_days": 365},
        {"operator": "more_than", "value": 1, "category": "Coffee"},
        {"operator": "less_than", "value": 2, "channel": "web"},
        {"operator": "is", "value": 1},
        {"operator": "is_not", "value": 0, "window_days": 90},
        {"operator": "between", "value": 2, "upper": 4},
        *in_every_way(value=1),
    ]

    class Meta:
        verbose_name = "different products bought"

    def counts_lines(self) -> bool:
        return True

    def drawn(self, now: datetime) -> Aggregate:
        return Count("product", distinct=True)

    def phrase(self) -> str:
        return f"bought {self.said_of('different product')}{self.of_what()}{self.when()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        return number(int(self.measured(customer, now)), "different product")
