"""What those who bought a product, or have it in a cart, are to know of it."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection
from django.db.models import Exists, OuterRef, Q, TextField, Value
from django.db.models.functions import Cast, Concat

from loyaltyflow.sql import TransactionId, insert_select

from .customers import Customer
from .events import Event
from .orders import OrderLine

IN_CART = """
SELECT DISTINCT cart.customer_id
FROM store_cart AS cart, jsonb_path_query(cart.lines, '$[*].sku') AS held (sku)
JOIN store_product AS product ON product.sku = held.sku #>> '{}' AND product.id = ANY(%s)
WHERE cart.customer_id IS NOT NULL
"""


def tell_of_new_group(products: Collection[int], now: datetime, source: str) -> int:
    """The number of customers who bought one of these products, or have it in a cart, each told once by a transaction.

    The products have another category or brand, or were not known before. It is an event of these customers, so that
    segments judge them again by what they bought.
    """
    with connection.cursor() as cursor:
        cursor.execute(IN_CART, [[*products]])
        holders = [customer for (customer,) in cursor.fetchall()]
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
    who = Q(Exists(bought)) | Q(pk__any=holders) if holders else Q(Exists(bought))
    return insert_select(Event, Customer.objects.filter(who), columns, ignore_conflicts=True)
