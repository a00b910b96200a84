from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Aggregate, Count
from django.db.models.functions import TruncDate

from loyaltyflow.store.models import Customer
from loyaltyflow.words import number

from ..comparisons.purchases import MeasuresPurchases, in_every_way
from .base import Condition


class VisitedStore(MeasuresPurchases, Condition):
    """Has come to buy on so many different days.

    A visit is a day on the store's calendar with at least one purchase: two orders on one day are one visit.
    """

    icon = "storefront"
    shelf = "Purchases"
    words = "often frequency"
    labels: ClassVar[dict[str, str]] = {"operator": "Days with a purchase"}
    units: ClassVar[dict[str, str]] = {**MeasuresPurchases.units, "value": "days", "upper": "days"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"value": 2},
        {"operator": "at_most", "value": 2, "window_days": 30},
        {"operator": "more_than", "value": 1, "channel": "till"},
        {"operator": "less_than", "value": 3, "window_days": 90},
        {"operator": "is", "value": 1, "window_days": 0},
        {"operator": "is_not", "value": 1},
        {"operator": "between", "value": 2, "upper": 5},
        *in_every_way(value=1),
    ]

    class Meta:
        verbose_name = "visits"

    def drawn(self, now: datetime) -> Aggregate:
        return Count(TruncDate("completed_at", tzinfo=now.tzinfo), distinct=True)

    def phrase(self) -> str:
        return f"made purchases{self.of_what()} on {self.said_of('day')}{self.when()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        return number(int(self.measured(customer, now)), "day with a purchase", "days with a purchase")
