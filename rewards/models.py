"""What loyalty earns: points and the rules by which purchases earn them."""

from .conditions import PointsBalance, PointsEarned
from .points import Account, EarningRule, Entry, Lot

__all__ = ["Account", "EarningRule", "Entry", "Lot", "PointsBalance", "PointsEarned"]
