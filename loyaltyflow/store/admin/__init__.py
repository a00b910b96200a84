"""The pages of the shop's facts."""

from . import customers, events, orders, products, settings, tags

__all__ = ["customers", "events", "orders", "products", "settings", "tags"]
