from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.carts import HasSku
from loyaltyflow.store.models import Cart, Customer, Product
from loyaltyflow.store.templatetags.figures import money
from loyaltyflow.words import number, strong

from ..comparisons.number import WITH_NUMBER, ComparesKnownNumber, NumberOperator
from ..comparisons.purchases import of_products
from .base import Condition


class HasCart(ComparesKnownNumber, Condition):
    """Has a cart with something in it that is not ordered yet.

    A cart is open until it is checked out, emptied, or its owner orders something after it was last touched. It is
    left behind once nobody has touched it for as long as the store's settings say. Shops tell only what is in a cart
    now: as of a day before it was last touched it does not count.
    """

    icon = "shopping_cart"
    shelf = "Carts"
    words = "basket abandoned"
    labels: ClassVar[dict[str, str]] = {"measure": "Holds"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {},
        {"state": "left_behind"},
        {"measure": "worth", "value": 50},
        {"measure": "worth", "operator": "at_most", "value": 20},
        {"measure": "worth", "operator": "between", "value": 10, "upper": 60},
        {"measure": "items", "operator": "more_than", "value": 2},
        {"measure": "items", "operator": "less_than", "value": 3},
        {"measure": "items", "operator": "is", "value": 1},
        {"measure": "items", "operator": "is_not", "value": 1},
        {"product": "TEA-100"},
        {"category": "Coffee", "brand": "Hill"},
    ]

    class State(models.TextChoices):
        OPEN = "open", "open"
        LEFT_BEHIND = "left_behind", "left behind"

    class Measure(models.TextChoices):
        ANY = "", "whatever it holds"
        WORTH = "worth", "what it is worth"
        ITEMS = "items", "units in it"

    state = models.CharField("cart", max_length=12, choices=State.choices, default=State.OPEN)
    measure = models.CharField("compare", max_length=6, choices=Measure.choices, default=Measure.ANY, blank=True)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    category = models.CharField(max_length=120, blank=True, help_text="Of a product in it, as products spell it.")
    brand = models.CharField(max_length=120, blank=True, help_text="Of a product in it, as products spell it.")

    asked_with = {
        "operator": ("measure", {Measure.WORTH, Measure.ITEMS}),
        "value": ("operator", WITH_NUMBER),
        "upper": ("operator", {NumberOperator.BETWEEN}),
    }
    suggestions: ClassVar[dict[str, Callable[[], list[str]]]] = {
        "category": of_products("category"),
        "brand": of_products("brand"),
    }

    class Meta:
        verbose_name = "cart"

    def compares_at_all(self) -> bool:
        return bool(self.measure)

    def warnings(self) -> list[str]:
        asked = {name: getattr(self, name) for name in ("category", "brand") if getattr(self, name)}
        return [
            f"No product has the {name} “{value}” yet. Check its spelling."
            for name, value in asked.items()
            if not Product.objects.filter(**{name: value}).exists()
        ]

    def q(self, now: datetime) -> Q:
        return Q(Exists(self._carts(now).filter(customer=OuterRef("pk"))))

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: each change of a cart, and its being left behind, is an event."""
        return None

    def phrase(self) -> str:
        kind = "an open cart" if self.state == self.State.OPEN else f"a cart that was {strong('left behind')}"
        much = {
            self.Measure.ANY: "",
            self.Measure.WORTH: f" worth {self.said(money)}" if self.measure else "",
            self.Measure.ITEMS: f" with {self.said_of('unit')} in it" if self.measure else "",
        }[self.Measure(self.measure)]
        return f"have {kind}{much}{self._with()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        carts = Cart.objects.open(now).filter(customer=customer)
        said = [f"a cart with {number(cart.items, 'unit')}, worth {money(cart.value)}" for cart in carts]
        return "; ".join(said) or "no open cart"

    def _carts(self, now: datetime) -> models.QuerySet[Cart]:
        carts = Cart.objects.open(now)
        if self.state == self.State.LEFT_BEHIND:
            carts = carts.filter(abandoned_at__lte=now, abandoned_at__gte=F("updated_at"))
        if self.measure:
            carts = carts.filter(self.compares(F("value" if self.measure == self.Measure.WORTH else "items")))
        if self.product:
            carts = carts.filter(HasSku(F("lines"), models.Value(self.product.sku)))
        asked = {name: getattr(self, name) for name in ("category", "brand") if getattr(self, name)}
        if asked:
            carts = carts.filter(Exists(Product.objects.filter(HasSku(OuterRef("lines"), F("sku")), **asked)))
        return carts

    def _with(self) -> str:
        holds = {
            f" {strong(self.product)}": self.product,
            f" something in the category {strong(self.category)}": self.category and not self.brand,
            f" something of the brand {strong(self.brand)}": self.brand and not self.category,
            f" something in the category {strong(self.category)} of the brand {strong(self.brand)}": self.category
            and self.brand,
        }
        said = [text for text, is_said in holds.items() if is_said]
        return f" that holds{' and'.join(said)}" if said else ""
