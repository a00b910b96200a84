"""Every type of condition, one file each; a new file is a new type."""

from loyaltyflow.registry import import_all

from .base import Condition

import_all(__name__, __path__)

__all__ = ["Condition"]
