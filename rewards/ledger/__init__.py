"""Writes the points ledger: every movement once, with its lots, the balance and its event, in one statement.

Every entry is a sum: its points are those of the lot that it brought, less what it drew from lots. What is left of a
lot is its points less what was drawn from it; what a customer owes is what was drawn from no lot. So a balance is at
once the sum of the customer's entries, and what is left of the lots less what is owed.
"""

from .accounts import Points, lock, spendable, too_few
from .corrections import put_back
from .credits import award, award_planned
from .debits import redeem, take
from .lapse import activate, expire, lapse, prolong, warn
from .proof import prove, prove_nightly, verify
from .returns import give_back, take_back
from .transfers import transfer

__all__ = [
    "Points",
    "activate",
    "award",
    "award_planned",
    "expire",
    "give_back",
    "lapse",
    "lock",
    "prolong",
    "put_back",
    "prove",
    "prove_nightly",
    "redeem",
    "spendable",
    "take",
    "take_back",
    "too_few",
    "transfer",
    "verify",
    "warn",
]
