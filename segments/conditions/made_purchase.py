from datetime import date, datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, Q, Subquery
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import day
from loyaltyflow.words import number, strong

from ..comparisons.purchases import CountsPurchases, in_every_way
from ..comparisons.times import as_often, no_longer_as_often
from .base import Condition


class Count(models.TextChoices):
    AT_LEAST = "at_least", "at least"
    AT_MOST = "at_most", "at most"
    EXACTLY = "exactly", "exactly"
    NONE = "none", "none"


class MadePurchase(CountsPurchases, Condition):
    """Has bought so many times.

    A purchase is a completed order that was neither cancelled nor wholly refunded, in however many parcels it left.
    Days are calendar days of the store: an order of 21 days ago, at whatever hour, is in the past 21 days.
    """

    icon = "shopping_bag"
    shelf = "Purchases"
    words = "bought order times once twice never winback dormant"
    labels: ClassVar[dict[str, str]] = {"operator": "Bought"}
    units: ClassVar[dict[str, str]] = {**CountsPurchases.units, "count": "times"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"count": 2, "window_days": 90},
        {"operator": "at_most", "count": 2, "window_days": 30},
        {"operator": "exactly", "since_own": "loyalty_joined_at"},
        {"operator": "exactly", "count": 0, "until": date(2026, 11, 1)},
        {"operator": "none", "window_days": 21},
        {"count": 2, "skus": "TEA-100, TEA-200", "window_days": 90},
        {"discount": "used"},
        *in_every_way(),
    ]

    operator = models.CharField(max_length=10, choices=Count.choices, default=Count.AT_LEAST)
    count = models.PositiveIntegerField("purchases", default=1)

    asked_with = {
        **CountsPurchases.asked_with,
        "count": ("operator", {Count.AT_LEAST, Count.AT_MOST, Count.EXACTLY}),
    }

    class Meta:
        verbose_name = "purchase"

    def clean(self) -> None:
        """Refuse what is true of everybody."""
        super().clean()
        if self.operator == Count.AT_LEAST and not self.count:
            raise ValidationError({"count": "“At least 0” is true of everybody. Write 1 or more, or choose “none”."})

    def q(self, now: datetime) -> Q:
        return as_often(self.operator, self.count, lambda count: self._reaches(count, now))

    def flips(self, now: datetime) -> Combinable | None:
        """When the purchase that decides falls out of the window; time alone never adds one."""
        return no_longer_as_often(self.operator, self.count, lambda count: self._falls_out(count, now))

    def phrase(self) -> str:
        tail = f"{self.of_what()}{self.when()}"
        if self.operator == Count.NONE:
            return f"made {strong('no purchase')}{tail}"
        many = strong(f"{self.get_operator_display()} {self.count:,}")
        return f"made {many} {'purchase' if self.count == 1 else 'purchases'}{tail}"

    def seen(self, customer: Customer, now: datetime) -> str:
        orders = self.purchases(now).order_by().values("customer")
        many, last = (
            Customer.objects.annotate(
                many=Subquery(orders.values(many=models.Count("pk"))),
                last=Subquery(orders.values(last=models.Max("completed_at"))),
            )
            .values_list("many", "last")
            .get(pk=customer.pk)
        )
        if many:
            return f"{number(many, 'purchase')}, the last on {day(last)}"
        ever = self.bought(now).filter(customer=customer).aggregate(last=models.Max("completed_at"))["last"]
        return f"none in that time, the last ever on {day(ever)}" if ever else "no purchases"

    def _reaches(self, count: int, now: datetime) -> Q:
        """Customers with that many purchases or more. From 2 on, the index finds the last ones of each customer.

        Of certain purchases few customers have even one: those are found first, at once.
        """
        bought = self.purchases(now)
        if count == 1:
            return Q(Exists(bought))
        if self.is_asked_of_everybody() and not self.is_of_any_sort():
            found = self.bought(now, self.inside("completed_at", now, path="customer")).order_by().values("customer")
            return Q(pk__in=found.annotate(many=models.Count("pk")).filter(many__gte=count).values("customer"))
        enough = Q(Exists(bought.order_by("-completed_at")[count - 1 : count]))
        return enough if self.is_of_any_sort() else Q(Exists(bought)) & enough

    def _falls_out(self, count: int, now: datetime) -> Combinable | None:
        """When the purchase that stands at place `count`, counted from the last one, leaves the window."""
        bought = self.purchases(now).order_by("-completed_at")
        instant = self.falls_out(Subquery(bought.values("completed_at")[count - 1 : count]), now)
        return self.where_bought(instant, now)
