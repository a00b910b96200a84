"""The demo store: a real retailer's year, two workflows at work over its last 90 days."""

from .build import build

__all__ = ["build"]
