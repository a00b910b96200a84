"""The pages of the loyalty programme."""

from . import adjustments, budgets, discounts, points, programme, proofs, rules, tiers

__all__ = ["adjustments", "budgets", "discounts", "points", "programme", "proofs", "rules", "tiers"]
