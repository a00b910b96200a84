"""Every row of the benchmark, one file each; a new file is a new row."""

from loyaltyflow.registry import import_all

from .base import Row

import_all(__name__, __path__)

__all__ = ["Row"]
