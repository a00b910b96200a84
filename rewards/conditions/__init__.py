"""Conditions about points, tiers and vouchers, one file each."""

from loyaltyflow.registry import import_all

from .holds_voucher import HoldsVoucher
from .in_tier import InTier
from .points_balance import PointsBalance
from .points_earned import PointsEarned
from .redeemed_vouchers import RedeemedVouchers
from .voucher_expires import VoucherExpires

import_all(__name__, __path__)

__all__ = ["HoldsVoucher", "InTier", "PointsBalance", "PointsEarned", "RedeemedVouchers", "VoucherExpires"]
