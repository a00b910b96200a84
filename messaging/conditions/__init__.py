"""Conditions about messages, one file each."""

from loyaltyflow.registry import import_all

from .message_engagement import MessageEngagement
from .reachable_by import ReachableBy

import_all(__name__, __path__)

__all__ = ["MessageEngagement", "ReachableBy"]
