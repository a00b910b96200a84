from collections.abc import Callable
from datetime import date, datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, Count, Exists, F, OuterRef, Q, Subquery, Sum, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Collate
from django.db.models.lookups import Exact

from loyaltyflow.store.models import Customer, Order, OrderLine, Product
from loyaltyflow.words import strong

from ..comparisons.purchases import of_products
from ..comparisons.window import InWindow
from .base import Condition


class MostBought(InWindow, Condition):
    """Buys more of a category, or of a brand, than of any other: what they are interested in.

    It goes by what was spent on it, by units or by the number of purchases. Of two that are level it is the one whose
    name comes first. Products without a category, or without a brand, are left out.
    """

    icon = "interests"
    shelf = "Purchases"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"name": "Coffee", "window_days": 180},
        {"name": "Tea", "measure": "units", "since": date(2026, 6, 1), "until": date(2026, 12, 31)},
        {"name": "Coffee", "measure": "purchases", "since_own": "registered_at"},
        {"kind": "brand", "name": "Hill", "window_days": 90},
    ]

    class Kind(models.TextChoices):
        CATEGORY = "category", "category"
        BRAND = "brand", "brand"

    class Measure(models.TextChoices):
        SPEND = "spend", "what was spent on it"
        UNITS = "units", "units"
        PURCHASES = "purchases", "purchases"

    MUCH: ClassVar[dict[str, models.Aggregate]] = {
        Measure.SPEND: Sum("net"),
        Measure.UNITS: Sum("quantity"),
        Measure.PURCHASES: Count("order", distinct=True),
    }

    kind = models.CharField("most bought", max_length=10, choices=Kind.choices, default=Kind.CATEGORY)
    name = models.CharField(max_length=120, help_text="As products spell it, such as Coffee.")
    measure = models.CharField("by", max_length=10, choices=Measure.choices, default=Measure.SPEND)

    suggestions: ClassVar[dict[str, Callable[[], list[str]]]] = {
        "name": lambda: sorted({*of_products("category")(), *of_products("brand")()})
    }

    class Meta:
        verbose_name = "most-bought category"

    def clean(self) -> None:
        """Refuse a name of nothing but space."""
        super().clean()
        if not self.name.strip():
            raise ValidationError({"name": "It needs a name, such as Coffee. None was given."})

    def warnings(self) -> list[str]:
        if not self.name or Product.objects.filter(**{self.kind: self.name}).exists():
            return []
        return [f"No product has the {self.get_kind_display()} “{self.name}” yet. Check its spelling."]

    def q(self, now: datetime) -> Q:
        """Those who bought any of it are found first, at once; only of them it is asked what they bought most."""
        return Q(self._any_bought(now)) & Q(Exact(self._top(now), self.name))

    def flips(self, now: datetime) -> Combinable | None:
        """When the oldest purchase falls out of the window, of those who bought any of it: others need an event."""
        orders = Order.objects.purchases(now).filter(
            self.inside("completed_at", now, path="customer"), customer=OuterRef("pk")
        )
        out = self.falls_out(Subquery(orders.order_by("completed_at").values("completed_at")[:1]), now)
        if out is None or not self.is_asked_of_everybody():
            return None if out is None else Case(When(self._any_bought(now), then=out))
        return Case(When(pk__in=self._of_it(self._all_lines(now)).order_by().values("order__customer"), then=out))

    def phrase(self) -> str:
        most = {
            self.Measure.SPEND: "spent most on",
            self.Measure.UNITS: "bought most units of",
            self.Measure.PURCHASES: "most often bought",
        }[self.Measure(self.measure)]
        return f"{most} the {self.get_kind_display()} {strong(self.name)}{self.when()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        top = Customer.objects.annotate(top=self._top(now)).values_list("top", flat=True).get(pk=customer.pk)
        return f"most bought: {top}" if top else f"nothing with a {self.get_kind_display()}"

    def _all_lines(self, now: datetime) -> models.QuerySet[OrderLine]:
        """The lines that count, of all customers."""
        inside = self.inside("order__completed_at", now, path="order__customer")
        lines = OrderLine.objects.filter(Order.purchase_q(now, "order__"), inside)
        return lines.exclude(**{f"product__{self.kind}": ""})

    def _lines(self, now: datetime) -> models.QuerySet[OrderLine]:
        return self._all_lines(now).filter(order__customer=OuterRef("pk"))

    def _of_it(self, lines: models.QuerySet[OrderLine]) -> models.QuerySet[OrderLine]:
        return lines.filter(**{f"product__{self.kind}": self.name})

    def _any_bought(self, now: datetime) -> Exists:
        return Exists(self._of_it(self._lines(now)))

    def _top(self, now: datetime) -> Subquery:
        name = f"product__{self.kind}"
        groups = self._lines(now).order_by().values(name).annotate(much=self.MUCH[self.measure])
        return Subquery(groups.order_by(F("much").desc(), Collate(name, "C")).values(name)[:1])
