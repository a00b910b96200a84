from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.expressions import Combinable

from loyaltyflow.sql import LocalDayStart
from loyaltyflow.store.models import Customer, Order, OrderLine, Product

from .base import LONGEST_WINDOW, Condition, day_start, in_the_past
from .groups import earliest


class Count(models.TextChoices):
    AT_LEAST = "at_least", "at least"
    AT_MOST = "at_most", "at most"
    EXACTLY = "exactly", "exactly"
    NONE = "none", "none"


class MadePurchase(Condition):
    """Has bought so many times, ever or in the past days.

    A purchase is a completed order that was neither cancelled nor wholly refunded. Days are calendar days of the
    store: an order of 21 days ago, at whatever hour, is in the past 21 days.
    """

    icon = "shopping_bag"
    shelf = "Purchases"
    examples: ClassVar[list[dict[str, Any]]] = [{"count": 2, "window_days": 90}]

    operator = models.CharField(max_length=10, choices=Count.choices, default=Count.AT_LEAST)
    count = models.PositiveIntegerField("purchases", default=1, help_text="Means nothing for “none”.")
    window_days = models.PositiveIntegerField(
        "in the past days",
        null=True,
        blank=True,
        validators=[MaxValueValidator(LONGEST_WINDOW)],
        help_text="Empty: ever.",
    )
    product = models.ForeignKey(Product, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    category = models.CharField(max_length=120, blank=True, help_text="Instead of a product, as products spell it.")

    class Meta:
        verbose_name = "purchase"

    def clean(self) -> None:
        """Refuse what can never or always be true, and categories that no product has."""
        super().clean()
        if self.operator == Count.AT_LEAST and not self.count:
            raise ValidationError({"count": "“At least 0” is true of everybody. Write 1 or more, or choose “none”."})
        if self.product and self.category:
            raise ValidationError({"category": "A product and a category were given. Leave one of them empty."})
        if self.category and not Product.objects.filter(category=self.category).exists():
            raise ValidationError({"category": f"No product has the category “{self.category}”. Check its spelling."})

    def q(self, now: datetime) -> Q:
        match self.operator:
            case Count.AT_LEAST:
                return self._reaches(self.count, now)
            case Count.EXACTLY if self.count:
                return self._reaches(self.count, now) & ~self._reaches(self.count + 1, now)
        return ~self._reaches(self._most + 1, now)

    def flips(self, now: datetime) -> Combinable | None:
        """When the purchase that decides falls out of the window; time alone never adds one."""
        if self.window_days is None:
            return None
        match self.operator:
            case Count.AT_LEAST:
                return self._falls_out(self.count, now)
            case Count.EXACTLY if self.count:
                return earliest([self._falls_out(self.count, now), self._falls_out(self.count + 1, now)])
        return self._falls_out(self._most + 1, now)

    def phrase(self) -> str:
        what = f" of {self.product}" if self.product else f" in the category {self.category}" if self.category else ""
        if self.operator == Count.NONE:
            return f"made no purchase{what}{in_the_past(self.window_days)}"
        noun = "purchase" if self.count == 1 else "purchases"
        return f"made {self.get_operator_display()} {self.count:,} {noun}{what}{in_the_past(self.window_days)}"

    def seen(self, customer: Customer, now: datetime) -> str:
        bought = self._purchases(now).filter(customer=customer)
        facts = bought.aggregate(count=models.Count("pk"), last=models.Max("completed_at"))
        if not facts["count"]:
            return "no purchases"
        last = facts["last"].astimezone(now.tzinfo)
        noun = "1 purchase" if facts["count"] == 1 else f"{facts['count']:,} purchases"
        return f"{noun}, the last on {last:%Y-%m-%d}"

    @property
    def _most(self) -> int:
        """The highest number that is still met, for “at most”, “none” and “exactly 0”."""
        return 0 if self.operator == Count.NONE else self.count

    def _purchases(self, now: datetime) -> models.QuerySet[Order]:
        bought = Order.objects.purchases(now)
        if self.window_days is not None:
            bought = bought.filter(completed_at__gte=day_start(now, self.window_days))
        lines = OrderLine.objects.filter(order=OuterRef("pk"))
        if self.product_id:
            return bought.filter(Exists(lines.filter(product=self.product_id)))
        if self.category:
            return bought.filter(Exists(lines.filter(product__category=self.category)))
        return bought

    def _reaches(self, count: int, now: datetime) -> Q:
        """Customers with that many purchases or more. From 2 on, the index finds the last ones of each customer."""
        bought = self._purchases(now).filter(customer=OuterRef("pk"))
        return Q(Exists(bought if count == 1 else bought.order_by("-completed_at")[count - 1 : count]))

    def _falls_out(self, count: int, now: datetime) -> Combinable:
        """When the purchase that stands at place `count`, counted from the last one, leaves the window."""
        bought = self._purchases(now).filter(customer=OuterRef("pk")).order_by("-completed_at")
        zone = now.tzinfo.key  # type: ignore[union-attr]
        return LocalDayStart(
            Subquery(bought.values("completed_at")[count - 1 : count]), zone, (self.window_days or 0) + 1
        )
