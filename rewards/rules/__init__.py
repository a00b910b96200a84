"""For what members earn points, one file for each kind of rule."""

from loyaltyflow.registry import import_all

from .base import EarningRule

import_all(__name__, __path__)

__all__ = ["EarningRule"]
