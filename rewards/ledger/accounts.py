"""Customers' accounts: taken before they are changed, and what is in them at a moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from loyaltyflow import planned

from ..bill import Reason, Refusal
from ..points import Account

# Rows are locked in the customers' order, here and everywhere, so that two statements never wait in a circle.
LOCK = """
SELECT customer_id FROM rewards_account WHERE customer_id = ANY(%s::bigint[]) ORDER BY customer_id FOR NO KEY UPDATE
"""
OPEN = """
INSERT INTO rewards_account (customer_id, balance)
SELECT customer, 0 FROM unnest(%s::bigint[]) AS customer ORDER BY customer ON CONFLICT DO NOTHING
"""

# Which lots' points can be spent, and in which order: those that expire first, then the oldest, those that never
# expire last. As `Lot.objects.to_spend`.
CAN_BE_SPENT = """
lot.remaining > 0 AND lot.available_at <= %(now)s AND (lot.expires_at IS NULL OR lot.expires_at > %(now)s)
"""
SPENT_FIRST = "lot.expires_at ASC NULLS LAST, lot.earned_at, lot.entry_id"

POINTS = """
SELECT customer.id, lots.active, lots.pending,
    coalesce((
        SELECT sum(hold.points) FROM rewards_hold AS hold
        WHERE hold.customer_id = customer.id AND hold.ended_at IS NULL AND hold.expires_at > %(now)s
    ), 0)::bigint,
    coalesce(account.owed, 0)
FROM unnest(%(customers)s::bigint[]) AS customer (id)
LEFT JOIN rewards_account AS account ON account.customer_id = customer.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(remaining) FILTER (WHERE available_at <= %(now)s), 0)::bigint AS active,
        coalesce(sum(remaining) FILTER (WHERE available_at > %(now)s), 0)::bigint AS pending
    FROM rewards_lot
    WHERE customer_id = customer.id AND remaining > 0 AND (expires_at IS NULL OR expires_at > %(now)s)
) AS lots
"""


@dataclass(frozen=True, slots=True)
class Points:
    """What a customer's account holds: usable now, waiting for a return window to end, kept for a till, owed."""

    active: int = 0
    pending: int = 0
    held: int = 0
    owed: int = 0

    @property
    def spendable(self) -> int:
        """How many can be spent now."""
        return max(0, self.active - self.owed - self.held)


def lock(customers: Iterable[int]) -> list[int]:
    """The customers' ids in ascending order, their accounts made if need be and kept from others until the commit."""
    ids = sorted(set(customers))
    if len(planned.rows(LOCK, [ids])) < len(ids):
        planned.rows(OPEN, [ids])
        planned.rows(LOCK, [ids])
    return ids


def spendable(customers: Iterable[int], now: datetime) -> dict[int, Points]:
    """For each of the customers what their account holds at `now`; who never had points has none of anything."""
    found = planned.rows(POINTS, {"customers": list(set(customers)), "now": now})
    return {pk: Points(*amounts) for pk, *amounts in found}


def owing(customers: Iterable[int]) -> list[int]:
    """Those of the customers who owe points."""
    return list(Account.objects.filter(pk__any=list(customers), owed__gt=0).values_list("pk", flat=True))


def too_few(points: int, account: Points) -> Refusal:
    """That there are not as many points to spend, with how many there are."""
    rest = f", and {account.pending:,} that wait" if account.pending else ""
    return Refusal(
        "points",
        Reason.INSUFFICIENT_POINTS,
        f"{points:,} points were asked for; there are {account.spendable:,} to spend{rest}.",
        {"spendable": account.spendable, "pending": account.pending},
    )
