"""The pages of the loyalty programme."""

from . import adjustments, points

__all__ = ["adjustments", "points"]
