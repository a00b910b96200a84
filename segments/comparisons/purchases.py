from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from loyaltyflow.store.models import Customer, Order, OrderLine, Product
from loyaltyflow.words import listed, strong

from .number import ComparesKnownNumber
from .window import InWindow

OFFERED = 500  # so many values of a field are offered to choose from
LATEST = 20_000  # among so many of the last orders
AMOUNT = models.DecimalField(max_digits=16, decimal_places=6)


# Which purchases, asked in every way, for the examples of types.
SORTS: list[dict[str, Any]] = [
    {"product": "TEA-100"},
    {"skus": "TEA-100, TEA-200"},
    {"category": "Coffee", "channel": "web"},
    {"brand": "Hill"},
    {"store_location": "Salem", "discount": "without"},
    {"discount": "code", "discount_code": "SPRING10"},
]
TIMES: list[dict[str, Any]] = [
    {"window_days": 90},
    {"since_own": "registered_at"},
    {"since": date(2026, 6, 1), "until": date(2026, 10, 31)},
    {},
    {},
    {},
]


class Discount(models.TextChoices):
    ANY = "", "with or without a discount"
    USED = "used", "with a discount"
    CODE = "code", "with the code"
    WITHOUT = "without", "without a discount"


def of_products(name: str) -> Callable[[], list[str]]:
    """What gives the values that products have in the field, in the order of the alphabet."""
    return lambda: _different(Product.objects.all(), name)


def of_orders(name: str) -> Callable[[], list[str]]:
    """What gives the values that the latest orders have in the field, in the order of the alphabet."""
    return lambda: _different(Order.objects.filter(pk__in=Order.objects.order_by("-pk").values("pk")[:LATEST]), name)


def in_every_way(**fields: Any) -> list[dict[str, Any]]:
    """The example asked of every sort of purchases, and in every sort of time."""
    return [{**fields, **sort, **time} for sort, time in zip(SORTS, TIMES, strict=True)]


class OfPurchases(models.Model):
    """Which purchases are meant: of certain products, through a channel, at a store, with a discount; else all.

    A purchase is a completed order that was neither cancelled nor wholly refunded. One that holds several products
    counts if one of its lines is as asked.
    """

    product = models.ForeignKey(Product, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    skus = models.CharField(
        "any of the products",
        max_length=1000,
        blank=True,
        help_text="Several SKUs with commas between, such as TEA-100, TEA-200.",
    )
    category = models.CharField(max_length=120, blank=True, help_text="As products spell it.")
    brand = models.CharField(max_length=120, blank=True, help_text="As products spell it.")
    channel = models.CharField(max_length=30, blank=True, help_text="As orders spell it, such as web.")
    store_location = models.CharField("store", max_length=60, blank=True, help_text="As orders spell it.")
    discount = models.CharField(max_length=10, choices=Discount.choices, default=Discount.ANY, blank=True)
    discount_code = models.CharField("code", max_length=60, blank=True, help_text="Whatever its capitals.")

    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {"discount_code": ("discount", {Discount.CODE})}
    suggestions: ClassVar[dict[str, Callable[[], list[str]]]] = {
        "category": of_products("category"),
        "brand": of_products("brand"),
        "channel": of_orders("channel"),
        "store_location": of_orders("store_location"),
    }

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse a product beside what describes other products, and a question for a code without one."""
        super().clean()
        named = [name for name in ("skus", "category", "brand") if getattr(self, name)]
        if self.product and named:
            label = {"skus": "any of the products"}.get(named[0], named[0])
            raise ValidationError({named[0]: f"A product was given already. Leave either it or “{label}” empty."})
        if self.skus and not self.listed_skus():
            raise ValidationError({"skus": f"“{self.skus}” names no SKU. Write such as TEA-100, TEA-200."})
        if self.discount == Discount.CODE and not self.discount_code.strip():
            raise ValidationError({"discount_code": "“with the code” needs a code, such as SPRING10. None was given."})

    def warnings(self) -> list[str]:
        """What no product, or no order, has yet."""
        products, orders = Product.objects.all(), Order.objects.all()
        asked: list[tuple[str, str, models.QuerySet[Any]]] = [
            (self.category, "No product has the category “{}” yet.", products.filter(category=self.category)),
            (self.brand, "No product has the brand “{}” yet.", products.filter(brand=self.brand)),
            (self.channel, "No order came through the channel “{}” yet.", orders.filter(channel=self.channel)),
            (self.store_location, "No order came from the store “{}” yet.", orders.filter(self._store_q(""))),
            *((sku, "No product has the SKU “{}” yet.", products.filter(sku=sku)) for sku in self.listed_skus()),
        ]
        return [
            f"{text.format(value)} Check its spelling." for value, text, rows in asked if value and not rows.exists()
        ]

    def listed_skus(self) -> list[str]:
        """The SKUs of which any is meant."""
        return [each.strip() for each in self.skus.split(",") if each.strip()]

    def asks_for_products(self) -> bool:
        """Whether the lines of an order matter, and not only the order itself."""
        return bool(self.product_id or self.skus or self.category or self.brand)

    def is_of_any_sort(self) -> bool:
        """Whether every purchase is meant."""
        return not (self.asks_for_products() or self.channel or self.store_location or self.discount)

    def bought(self, now: datetime, inside: Q | None = None) -> models.QuerySet[Order]:
        """The purchases that are meant, as of `now`; `inside` says more about the orders."""
        found = Order.objects.purchases(now).filter(self.order_q(), inside or Q())
        lines = OrderLine.objects.filter(self.line_q(), order=OuterRef("pk"))
        return found.filter(Exists(lines)) if self.asks_for_products() else found

    def order_q(self, prefix: str = "") -> Q:
        """Which orders are meant, apart from their products; `prefix` leads to the order from the queried row."""
        asked = self._store_q(prefix)
        if self.channel:
            asked &= Q((f"{prefix}channel", self.channel))
        match self.discount:
            case Discount.USED:
                asked &= Q((f"{prefix}discount__gt", 0)) | ~Q((f"{prefix}discount_code", ""))
            case Discount.CODE:
                asked &= Q((f"{prefix}discount_code__iexact", self.discount_code.strip()))
            case Discount.WITHOUT:
                asked &= Q((f"{prefix}discount__lte", 0), (f"{prefix}discount_code", ""))
        return asked

    def line_q(self) -> Q:
        """Which lines of an order are meant."""
        asked = Q(product=self.product_id) if self.product_id else Q()
        if self.skus:
            asked &= Q(product__sku__in=self.listed_skus())
        if self.category:
            asked &= Q(product__category=self.category)
        return asked & Q(product__brand=self.brand) if self.brand else asked

    def of_what(self, word: str = "of") -> str:
        """Which purchases, as a part of a phrase with its space before it: “ of Decaf at the store Salem”."""
        said = {
            f" {word} {strong(self.product)}": self.product,
            f" {word} {listed(self.listed_skus()) if self.skus else ''}": self.skus,
            f" in the category {strong(self.category)}": self.category,
            f" {word} the brand {strong(self.brand)}": self.brand,
            f" through the channel {strong(self.channel)}": self.channel,
            f" at the store {strong(self.store_location)}": self.store_location,
            f" {strong(Discount(self.discount).label)}": self.discount in (Discount.USED, Discount.WITHOUT),
            f" with the code {strong(self.discount_code.strip())}": self.discount == Discount.CODE,
        }
        return "".join(text for text, is_said in said.items() if is_said)

    def _store_q(self, prefix: str) -> Q:
        return Q((f"{prefix}store_location", self.store_location)) if self.store_location else Q()


class CountsPurchases(OfPurchases, InWindow):
    """Which purchases count: those that are meant, in a time."""

    is_asked_of_everybody: Callable[[], bool]  # of Condition, which stands beside it

    asked_with = OfPurchases.asked_with
    units = InWindow.units

    class Meta:
        abstract = True

    def purchases(self, now: datetime) -> models.QuerySet[Order]:
        """The purchases that count for the customer of the query around it."""
        return self.bought(now, self.inside("completed_at", now, path="customer")).filter(customer=OuterRef("pk"))

    def first_falls_out(self, now: datetime) -> Combinable | None:
        """When the oldest of the purchases that count no longer does; None if all count for good."""
        oldest = self.purchases(now).order_by("completed_at").values("completed_at")[:1]
        return self.where_bought(self.falls_out(Subquery(oldest), now), now)

    def where_bought(self, instant: Combinable | None, now: datetime) -> Combinable | None:
        """The instant of customers with such purchases, who are told apart first, at once; NULL for all others."""
        if instant is None or self.is_of_any_sort():
            return instant
        if not self.is_asked_of_everybody():
            return Case(When(Exists(self.purchases(now)), then=instant))
        found = self.bought(now, self.inside("completed_at", now, path="customer")).order_by()
        return Case(When(pk__in=found.values("customer"), then=instant))

    def is_of_all(self) -> bool:
        """Whether every purchase counts that there ever was."""
        return self.is_of_any_sort() and self.window_days is None and not (self.since or self.until or self.since_own)


class MeasuresPurchases(CountsPurchases, ComparesKnownNumber):
    """Compares a number that is drawn from the purchases that count."""

    asked_with = {**CountsPurchases.asked_with, **ComparesKnownNumber.asked_with}

    class Meta:
        abstract = True

    def drawn(self, now: datetime) -> Combinable:
        """What is drawn from all the facts of a customer that count."""
        raise NotImplementedError(f"{type(self).__name__} must define drawn(now).")

    def counts_lines(self) -> bool:
        """Whether the facts are lines of orders, and not orders."""
        return False

    def nothing(self) -> Decimal | None:
        """The number of a customer without such purchases; None if there is none."""
        return Decimal(0)

    def amount(self, now: datetime) -> Combinable:
        """The number, as an expression over customers; NULL if there is none."""
        facts, whose = self._facts(now)
        groups = facts.filter(**{whose: OuterRef("pk")}).order_by().values(whose)
        found = Subquery(groups.values(drawn=self.drawn(now)), output_field=AMOUNT)
        nothing = self.nothing()
        return found if nothing is None else Coalesce(found, nothing, output_field=AMOUNT)

    def q(self, now: datetime) -> Q:
        """Those who bought nothing of the sort are told apart first, at once, and no number is drawn for them."""
        nothing = self.nothing()
        holds_without = nothing is not None and self.met_by(nothing)
        if self.is_asked_of_everybody():
            return self._by_groups(now, holds_without)
        compared = self.compares(self.amount(now))
        if self.is_of_all():
            return compared
        any_bought = Q(Exists(self.purchases(now)))
        return ~any_bought | compared if holds_without else any_bought & compared

    def flips(self, now: datetime) -> Combinable | None:
        """When the oldest purchase falls out of the window: the number may be another one from then on."""
        return self.first_falls_out(now)

    def measured(self, customer: Customer, now: datetime) -> Any:
        """The number of this customer; None if it is not known."""
        return (
            Customer.objects.annotate(measured=self.amount(now)).values_list("measured", flat=True).get(pk=customer.pk)
        )

    def _facts(self, now: datetime) -> tuple[models.QuerySet[Any], str]:
        """The orders or the lines that count, of all customers, and where these stand."""
        if not self.counts_lines():
            return self.bought(now, self.inside("completed_at", now, path="customer")), "customer"
        inside = self.inside("order__completed_at", now, path="order__customer") & self.order_q("order__")
        return OrderLine.objects.filter(Order.purchase_q(now, "order__"), inside, self.line_q()), "order__customer"

    def _by_groups(self, now: datetime, holds_without: bool) -> Q:
        """Those for whom the number is as asked: all facts are gone through once, customer by customer."""
        facts, whose = self._facts(now)
        groups = facts.order_by().values(whose).annotate(drawn=self.drawn(now))
        compared = self.compares(F("drawn"))
        if holds_without:
            return ~Q(pk__in=groups.filter(~compared).values(whose))
        return Q(pk__in=groups.filter(compared).values(whose))


def _different(rows: models.QuerySet[Any], name: str) -> list[str]:
    return list(rows.exclude(**{name: ""}).order_by(name).values_list(name, flat=True).distinct()[:OFFERED])
