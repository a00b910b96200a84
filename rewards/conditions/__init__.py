"""Conditions about points and tiers, one file each."""

from loyaltyflow.registry import import_all

from .in_tier import InTier
from .points_balance import PointsBalance
from .points_earned import PointsEarned

import_all(__name__, __path__)

__all__ = ["InTier", "PointsBalance", "PointsEarned"]
