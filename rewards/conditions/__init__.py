"""Conditions about points, tiers and vouchers, one file each."""

from loyaltyflow.registry import import_all

from .holds_voucher import HoldsVoucher
from .in_tier import InTier
from .near_next_tier import NearNextTier
from .points_balance import PointsBalance
from .points_earned import PointsEarned
from .points_expiring import PointsExpiring
from .redeemed_vouchers import RedeemedVouchers
from .voucher_expires import VoucherExpires

import_all(__name__, __path__)

__all__ = [
    "HoldsVoucher",
    "InTier",
    "NearNextTier",
    "PointsBalance",
    "PointsEarned",
    "PointsExpiring",
    "RedeemedVouchers",
    "VoucherExpires",
]
