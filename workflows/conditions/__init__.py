"""Conditions about workflows: one that stands anywhere, and what a customer's own walk has brought so far."""

from loyaltyflow.registry import import_all

from .bought_since import BoughtSince
from .got_message import GotMessage
from .in_workflow import InWorkflow
from .visited_page_since import VisitedPageSince
from .voucher_unused import VoucherUnused

import_all(__name__, __path__)

__all__ = ["BoughtSince", "GotMessage", "InWorkflow", "VisitedPageSince", "VoucherUnused"]
