from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import Avg, Count, ExpressionWrapper, Max, Min, OuterRef, Subquery, Sum, Value
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer, Order, OrderLine
from loyaltyflow.store.templatetags.figures import money
from loyaltyflow.words import strong

from ..comparisons.purchases import AMOUNT, MeasuresPurchases, in_every_way
from .base import Condition


class Spent(MeasuresPurchases, Condition):
    """Has spent so much in all, or in an average, largest or smallest order.

    Amounts are what was paid for the goods, after discounts and without tax and shipping, less what was paid back.
    Of certain products only their lines count; shops do not tell of which line a part was paid back, so then only a
    whole refund counts. Who bought nothing has spent 0 in all, and has no average, largest or smallest order.
    """

    icon = "payments"
    shelf = "Purchases"
    words = "money revenue worth value of orders"
    labels: ClassVar[dict[str, str]] = {"measure": "Which amount", "operator": "Spent"}
    units: ClassVar[dict[str, str]] = {**MeasuresPurchases.units, "value": "money", "upper": "money"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"value": 200},
        {"operator": "at_most", "value": 50, "window_days": 365},
        {"measure": "average", "operator": "more_than", "value": 40},
        {"measure": "largest", "operator": "less_than", "value": 100, "channel": "web"},
        {"measure": "smallest", "operator": "between", "value": 5, "upper": 60},
        {"operator": "is", "value": 0, "window_days": 30},
        {"measure": "largest", "operator": "is_not", "value": 20, "store_location": "Salem"},
        {"measure": "average", "value": 10, "category": "Tea"},
        *in_every_way(value=20),
    ]

    class Measure(models.TextChoices):
        TOTAL = "total", "in all"
        AVERAGE = "average", "in an average order"
        LARGEST = "largest", "in the largest order"
        SMALLEST = "smallest", "in the smallest order"

    DRAWN: ClassVar[dict[str, type[models.Aggregate]]] = {
        Measure.TOTAL: Sum,
        Measure.AVERAGE: Avg,
        Measure.LARGEST: Max,
        Measure.SMALLEST: Min,
    }

    measure = models.CharField("amount", max_length=10, choices=Measure.choices, default=Measure.TOTAL)

    class Meta:
        verbose_name = "amount spent"

    def counts_lines(self) -> bool:
        return self.asks_for_products() and self.measure in (self.Measure.TOTAL, self.Measure.AVERAGE)

    def drawn(self, now: datetime) -> Combinable:
        if self.counts_lines():
            orders = Value(1) if self.measure == self.Measure.TOTAL else Count("order", distinct=True)
            return ExpressionWrapper(Sum("net") / orders, output_field=AMOUNT)
        worth: Any = Order.kept_by(now)
        if self.asks_for_products():
            lines = OrderLine.objects.filter(self.line_q(), order=OuterRef("pk")).order_by().values("order")
            worth = Subquery(lines.values(sum=Sum("net")))
        return self.DRAWN[self.measure](worth, output_field=AMOUNT)

    def nothing(self) -> Decimal | None:
        return Decimal(0) if self.measure == self.Measure.TOTAL else None

    def phrase(self) -> str:
        how = {
            self.Measure.TOTAL: "",
            self.Measure.AVERAGE: f" in an {strong('average')} order",
            self.Measure.LARGEST: f" in the {strong('largest')} order",
            self.Measure.SMALLEST: f" in the {strong('smallest')} order",
        }[self.Measure(self.measure)]
        return f"spent {self.said(money)}{how}{self.of_what('on')}{self.when()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        found = self.measured(customer, now)
        return "no purchases" if found is None else f"{money(found)} {self.get_measure_display()}"
