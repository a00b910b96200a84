"""The shop's facts."""

from .carts import Cart
from .consent import Channel, Consent
from .customers import Customer, ExternalId, Tag, Tagging
from .events import Event, EventType, FeedReader
from .merges import Apart, Merge
from .orders import Order, OrderLine, Refund
from .products import Product
from .settings import StoreSettings

__all__ = [
    "Apart",
    "Cart",
    "Channel",
    "Consent",
    "Customer",
    "Event",
    "EventType",
    "ExternalId",
    "FeedReader",
    "Merge",
    "Order",
    "OrderLine",
    "Product",
    "Refund",
    "StoreSettings",
    "Tag",
    "Tagging",
]
