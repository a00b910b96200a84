"""The fewest rows that make a case, each with only the fields the case is about."""

from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Channel, Consent, Customer, Order, OrderLine, Product, Refund

_numbers = count(1)


def customer(**fields: Any) -> Customer:
    """A customer with an address of their own."""
    return Customer.objects.create(**{"email": f"customer{next(_numbers)}@example.com", **fields})


def consent(
    who: Customer, at: datetime, status: str = Consent.Status.OPTED_IN, channel: str = Channel.EMAIL
) -> Consent:
    return Consent.objects.create(customer=who, channel=channel, status=status, source="test", given_at=at)


def product(**fields: Any) -> Product:
    number = next(_numbers)
    return Product.objects.create(**{"sku": f"SKU{number}", "name": f"Product {number}", **fields})


def order(who: Customer, at: datetime, net: str = "20.00", *products: Product, **fields: Any) -> Order:
    """A completed order and the event that says so."""
    known = {"source": "test", "external_id": str(next(_numbers)), "placed_at": at, "completed_at": at, **fields}
    made = Order.objects.create(customer=who, net=Decimal(net), **known)
    for number, each in enumerate(products, 1):
        OrderLine.objects.create(order=made, number=number, product=each, quantity=1, net=made.net / len(products))
    if made.refunded:
        Refund.objects.create(order=made, amount=made.refunded, at=made.refunded_at or at)
    if made.completed_at:
        happened("order_completed", who.pk, made.completed_at, f"order_completed:{made.pk}", order=made.pk)
    return made
