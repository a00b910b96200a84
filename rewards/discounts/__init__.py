"""What customers can get off their bills, one file for each kind."""

from loyaltyflow.registry import import_all

from .base import Discount

import_all(__name__, __path__)

__all__ = ["Discount"]
