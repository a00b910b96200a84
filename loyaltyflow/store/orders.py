from datetime import datetime

from django.db import models
from django.db.models import Case, F, OuterRef, Q, Subquery, Sum, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from .customers import Customer
from .products import Product

MONEY = models.DecimalField(max_digits=14, decimal_places=2)


class OrderQuerySet(models.QuerySet["Order"]):
    def purchases(self, now: datetime) -> "OrderQuerySet":
        """Orders that count as purchases at `now`: completed, and neither cancelled nor wholly refunded by then."""
        return self.filter(Order.purchase_q(now))


class Order(models.Model):
    """One basket that a customer ordered. Amounts are in the store's currency."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="orders", db_index=False)
    source = models.CharField(max_length=40, help_text="The system that took the order, such as till or shopify.")
    external_id = models.CharField("order number", max_length=120)
    placed_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    shipped_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    refunded_at = models.DateTimeField(
        null=True, blank=True, help_text="When the whole of it was refunded; such an order is no longer a purchase."
    )
    net = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        help_text="What was paid for the goods: after discounts, without tax and shipping.",
    )
    discount = models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0)
    tax = models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0)
    shipping = models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0)
    refunded = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        default=0,
        db_default=0,
        help_text="Of the net amount, so far; the sum of its refunds.",
    )
    discount_code = models.CharField(max_length=60, blank=True)
    channel = models.CharField(max_length=30, blank=True, help_text="Such as till, web or app.")
    store_location = models.CharField(max_length=60, blank=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="one_order_per_source_and_number"),
            models.CheckConstraint(
                condition=Q(refunded__gte=0) & Q(refunded__lte=F("net")) | Q(net__lt=0, refunded=0),
                name="no_more_is_refunded_than_was_paid",
            ),
        ]
        indexes = [
            # All that says whether and how much a customer bought: such questions read no row of the table itself.
            models.Index(
                fields=["customer", "completed_at"],
                name="order_by_customer",
                include=["id", "net", "refunded", "cancelled_at", "refunded_at"],
            ),
            models.Index(fields=["completed_at"], name="order_by_completion"),
        ]

    def __str__(self) -> str:
        return f"Order {self.external_id}"

    @staticmethod
    def kept_by(now: datetime) -> Combinable:
        """An expression over orders: what was paid for the goods, less what was paid back by `now`."""
        back = Refund.objects.filter(order=OuterRef("pk"), at__lte=now).order_by().values("order")
        paid_back = Coalesce(Subquery(back.values(sum=Sum("amount"))), 0, output_field=MONEY)
        return Case(When(refunded=0, then=F("net")), default=F("net") - paid_back, output_field=MONEY)

    @staticmethod
    def purchase_q(now: datetime, prefix: str = "") -> Q:
        """Counts as a purchase at `now`; `prefix` leads to the order from the queried row, such as `order__`."""
        return (
            Q((f"{prefix}completed_at__lte", now))
            & (Q((f"{prefix}cancelled_at__isnull", True)) | Q((f"{prefix}cancelled_at__gt", now)))
            & (Q((f"{prefix}refunded_at__isnull", True)) | Q((f"{prefix}refunded_at__gt", now)))
        )


class Refund(models.Model):
    """A part of an order's net amount that was paid back, or all of it; rows are added as `refunded` grows.

    A refund of several lines is one row for each of them, with one number. Of what was not paid with money, such as
    goods for points, nothing is paid back: the row says what was returned.

    If less was paid back than we were told before, one row takes the place of the order's others: so an order of which
    nothing is refunded has none.
    """

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="refunds", db_index=False)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    at = models.DateTimeField(help_text="When it was paid back, or when we learned it.")
    line = models.PositiveIntegerField(
        null=True, blank=True, help_text="The number of the line that it is for. Empty: the order as a whole."
    )
    external_id = models.CharField(
        "refund number", max_length=120, blank=True, default="", db_default="", help_text="What the till calls it."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0) | Q(amount=0) & ~Q(external_id=""), name="a_refund_pays_something_back"
            ),
            models.UniqueConstraint(
                fields=["order", "external_id", "line"],
                condition=~Q(external_id=""),
                name="one_refund_per_order_number_and_line",
                nulls_distinct=False,
            ),
        ]
        indexes = [models.Index(fields=["order", "at"], name="refund_by_order", include=["amount"])]

    def __str__(self) -> str:
        return f"{self.amount} of {self.order}"


class OrderLine(models.Model):
    """One product of one order."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines", db_index=False)
    number = models.PositiveIntegerField(help_text="Its place on the bill, from 1.")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="lines")
    quantity = models.DecimalField(max_digits=12, decimal_places=3)
    net = models.DecimalField(max_digits=12, decimal_places=2)
    discount = models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "number"], name="one_line_per_order_and_number")]

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f} × {self.product}"
