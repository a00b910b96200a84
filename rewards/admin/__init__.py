"""The pages of the loyalty programme."""

from . import adjustments, points, programme, proofs, rules

__all__ = ["adjustments", "points", "programme", "proofs", "rules"]
