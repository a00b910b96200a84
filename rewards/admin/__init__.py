"""The pages of the loyalty programme."""

from . import adjustments, budgets, discounts, points, pools, programme, proofs, rules, tiers, vouchers

__all__ = [
    "adjustments",
    "budgets",
    "discounts",
    "points",
    "pools",
    "programme",
    "proofs",
    "rules",
    "tiers",
    "vouchers",
]
