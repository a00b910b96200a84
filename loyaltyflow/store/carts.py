from datetime import datetime, timedelta

from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Cast, Concat, JSONObject

from loyaltyflow.sql import insert_select

from .customers import Customer
from .events import Event
from .orders import Order
from .settings import StoreSettings


class HasSku(models.Func):
    """Whether the lines of a cart hold a product with the SKU."""

    template = "jsonb_exists(jsonb_path_query_array(%(expressions)s)"
    arg_joiner = ", '$[*].sku'), "
    output_field = models.BooleanField()


class CartQuerySet(models.QuerySet["Cart"]):
    def open(self, now: datetime) -> "CartQuerySet":
        """Carts with something in them at `now` that were not checked out, and after which nothing was ordered."""
        unfinished = Q(checked_out_at__isnull=True) | Q(checked_out_at__gt=now)
        return self.filter(unfinished, items__gt=0, updated_at__lte=now).exclude(Exists(_ordered_since(now)))

    def left_behind(self, now: datetime, idle: timedelta) -> "CartQuerySet":
        """Carts with something in them that nobody has touched for `idle`, nor bought since, and not reported yet."""
        return self.filter(
            customer__isnull=False,
            items__gt=0,
            abandoned_at__isnull=True,
            checked_out_at__isnull=True,
            updated_at__lte=now - idle,
        ).exclude(Exists(_ordered_since(now)))


def _ordered_since(now: datetime) -> models.QuerySet[Order]:
    """What the cart's owner ordered after the cart was last touched."""
    return Order.objects.filter(
        customer=OuterRef("customer"), placed_at__gte=OuterRef("updated_at"), placed_at__lte=now
    )


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


@transaction.atomic
def abandon(now: datetime) -> dict[str, int]:
    """The number of carts that were found left behind; each becomes one cart_abandoned event, once.

    It happened when the cart had been idle for as long as the store's settings say, not when we looked.
    """
    idle = timedelta(minutes=StoreSettings.load().cart_idle_minutes)
    left = Cart.objects.left_behind(now, idle).select_for_update(skip_locked=True, of=("self",))
    carts = Cart.objects.filter(pk__any=list(left.values_list("pk", flat=True)))
    event = {
        "name": Value("cart_abandoned"),
        "customer": "customer_id",
        "occurred_at": F("updated_at") + idle,
        "source": "source",
        "key": Concat(Value("cart_abandoned:"), Cast("pk", models.TextField()), output_field=models.TextField()),
        "properties": JSONObject(cart=F("pk"), items=F("items"), value=Cast("value", models.TextField())),
    }
    insert_select(Event, carts, event, ignore_conflicts=True)
    return {"left behind": carts.update(abandoned_at=F("updated_at") + idle)}
