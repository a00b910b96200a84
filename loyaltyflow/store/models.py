"""The shop's facts."""

from .carts import Cart
from .consent import Channel, Consent
from .customers import Customer, ExternalId, Tag, Tagging
from .events import Event, EventType, FeedReader
from .orders import Order, OrderLine, Refund
from .products import Product
from .settings import StoreSettings

__all__ = [
    "Cart",
    "Channel",
    "Consent",
    "Customer",
    "Event",
    "EventType",
    "ExternalId",
    "FeedReader",
    "Order",
    "OrderLine",
    "Product",
    "Refund",
    "StoreSettings",
    "Tag",
    "Tagging",
]
