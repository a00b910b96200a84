"""What loyalty earns: points, tiers, discounts and vouchers, and the rules by which customers get them."""

from segments.models import Segment

from .adjustments import Adjustment, AdjustmentLimit, AdjustmentReason
from .budgets import Budget, Spending
from .conditions import (
    HoldsVoucher,
    InTier,
    NearNextTier,
    PointsBalance,
    PointsEarned,
    PointsExpiring,
    RedeemedVouchers,
    VoucherExpires,
)
from .discounts import Discount
from .exchanges import Exchange
from .holds import Hold
from .movements import Movement
from .multipliers import Multiplier
from .notice import Notice, NoticeProgress
from .points import Account, Draw, Entry, Lot
from .programme import Programme
from .proofs import Proof
from .receipts import Receipt
from .rules import EarningRule
from .segment_uses import for_members
from .tiers import Standing, Tier
from .totals import LedgerTotals
from .vouchers import CodePool, Redemption, RejectedCode, Voucher

__all__ = [
    "Account",
    "Adjustment",
    "AdjustmentLimit",
    "AdjustmentReason",
    "Budget",
    "CodePool",
    "Discount",
    "Draw",
    "EarningRule",
    "Entry",
    "Exchange",
    "Hold",
    "HoldsVoucher",
    "InTier",
    "LedgerTotals",
    "Lot",
    "Movement",
    "Multiplier",
    "NearNextTier",
    "Notice",
    "NoticeProgress",
    "PointsBalance",
    "PointsEarned",
    "PointsExpiring",
    "Programme",
    "Proof",
    "Receipt",
    "RedeemedVouchers",
    "Redemption",
    "RejectedCode",
    "Spending",
    "Standing",
    "Tier",
    "Voucher",
    "VoucherExpires",
]

Segment.uses.append(for_members)
