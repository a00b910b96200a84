"""The one way in for the shop's facts: rows are judged cell by cell, copied into a staging table and merged as sets."""

from .base import Column, Context, Intake, Kind, Outcome
from .customers import CUSTOMERS
from .events import EVENTS
from .orders import ORDERS
from .products import PRODUCTS

KINDS: dict[str, Kind] = {kind.name: kind for kind in (CUSTOMERS, PRODUCTS, ORDERS, EVENTS)}

__all__ = ["CUSTOMERS", "EVENTS", "KINDS", "ORDERS", "PRODUCTS", "Column", "Context", "Intake", "Kind", "Outcome"]
