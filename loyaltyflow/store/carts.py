from datetime import datetime, timedelta

from django.db import models
from django.db.models import Exists, OuterRef, Q

from .customers import Customer
from .events import Event
from .orders import Order
from .settings import StoreSettings


class CartQuerySet(models.QuerySet["Cart"]):
    def left_behind(self, now: datetime, idle: timedelta) -> "CartQuerySet":
        """Carts with something in them that nobody has touched for `idle`, nor bought since, and not reported yet."""
        bought = Order.objects.filter(
            customer=OuterRef("customer"), placed_at__gte=OuterRef("updated_at"), placed_at__lte=now
        )
        return self.filter(
            customer__isnull=False,
            items__gt=0,
            abandoned_at__isnull=True,
            checked_out_at__isnull=True,
            updated_at__lte=now - idle,
        ).exclude(Exists(bought))


class Cart(models.Model):
    """A basket that has not been ordered yet, as the shop last told us."""

    source = models.CharField(max_length=40)
    external_id = models.CharField(max_length=120)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, blank=True, related_name="carts")
    lines = models.JSONField(default=list, db_default=[], blank=True, help_text="SKU, quantity and price of each line.")
    items = models.PositiveIntegerField(default=0, db_default=0, help_text="Units in the cart.")
    value = models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0)
    updated_at = models.DateTimeField()
    checked_out_at = models.DateTimeField(null=True, blank=True)
    abandoned_at = models.DateTimeField(null=True, blank=True)

    objects = CartQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "external_id"], name="one_cart_per_source_and_number")]
        indexes = [
            models.Index(
                fields=["updated_at"],
                name="cart_still_open",
                condition=Q(abandoned_at__isnull=True, checked_out_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"Cart {self.external_id}"
