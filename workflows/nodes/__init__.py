"""Every type of node, one file each; a new file is a new type."""

from loyaltyflow.registry import import_all

from .base import Node

import_all(__name__, __path__)

__all__ = ["Node"]
