"""Every way to reach a customer, one file each; a new file is a new channel."""

from loyaltyflow.registry import import_all

from .base import Channel

import_all(__name__, __path__)

__all__ = ["Channel"]
