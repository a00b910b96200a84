from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import Count, IntegerField, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from loyaltyflow.store.models import Customer
from loyaltyflow.words import number

from ..comparisons.purchases import MeasuresPurchases, in_every_way, lines_of
from .base import Condition


class BoughtProducts(MeasuresPurchases, Condition):
    """Has bought so many different products, however many of each."""

    icon = "category"
    shelf = "Purchases"
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

    def amount(self, now: datetime) -> Combinable:
        products = lines_of(self, now).values(products=Count("product", distinct=True))
        return Coalesce(Subquery(products), 0, output_field=IntegerField())

    def without(self) -> bool:
        return self.met_by(Decimal(0))

    def phrase(self) -> str:
        return f"bought {self.said_of('different product')}{self.of_what()}{self.when()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        return number(self.measured(customer, now), "different product")
