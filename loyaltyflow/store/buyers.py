"""What those who bought a product are to know of it."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, OuterRef, TextField, Value
from django.db.models.functions import Cast, Concat

from loyaltyflow.sql import TransactionId, insert_select

from .customers import Customer
from .events import Event
from .orders import OrderLine


def tell_of_new_category(products: Collection[int], now: datetime, source: str) -> int:
    """The number of customers who bought one of these products, each told once by this transaction.

    It is an event of theirs, so that segments judge them again by what they bought.
    """
    bought = OrderLine.objects.filter(order__customer=OuterRef("pk"), product__any=products)
    columns = {
        "name": Value("product_changed"),
        "customer": "pk",
        "occurred_at": now,
        "source": Value(source),
        "key": Concat(
            Value("product_changed:"),
            Cast("pk", TextField()),
            Value(":"),
            Cast(TransactionId(), TextField()),
            output_field=TextField(),
        ),
    }
    return insert_select(Event, Customer.objects.filter(Exists(bought)), columns, ignore_conflicts=True)
