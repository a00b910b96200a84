"""The pages of the loyalty programme."""

from . import adjustments, points, proofs

__all__ = ["adjustments", "points", "proofs"]
