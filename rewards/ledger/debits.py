"""Points that customers spend, or that staff take."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction

from loyaltyflow import planned
from loyaltyflow.store.models import Order

from ..bill import Refused
from ..holds import Hold
from ..points import Entry
from .accounts import CAN_BE_SPENT, SPENT_FIRST, lock, spendable, too_few
from .moves import MOVED, TOLD

# One entry for so many points if there are as many to spend, and what it takes from which lots.
SPEND = f"""
WITH line AS (
    SELECT lot.entry_id, lot.remaining, sum(lot.remaining) OVER (ORDER BY {SPENT_FIRST}) AS upto
    FROM rewards_lot AS lot WHERE lot.customer_id = %(customer)s AND {CAN_BE_SPENT}
),
held AS (
    SELECT coalesce(sum(points), 0) AS points FROM rewards_hold
    WHERE customer_id = %(customer)s AND ended_at IS NULL AND expires_at > %(now)s
        AND id IS DISTINCT FROM %(hold)s::bigint
),
made AS (
    INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, order_id, explanation, by_id)
    SELECT account.customer_id, %(kind)s, -%(points)s::bigint, %(now)s, %(key)s::text, %(order)s, %(explanation)s,
        %(by)s
    FROM rewards_account AS account, held
    WHERE account.customer_id = %(customer)s AND NOT EXISTS (SELECT FROM rewards_entry WHERE key = %(key)s::text)
    AND (SELECT coalesce(max(upto), 0) FROM line) - account.owed - held.points >= %(points)s
    RETURNING *
),
moves AS (
    SELECT made.id AS entry_id, line.entry_id AS lot_id, made.customer_id,
        least(line.remaining, %(points)s - (line.upto - line.remaining))::bigint AS points, %(now)s::timestamptz AS at
    FROM line, made WHERE line.upto - line.remaining < %(points)s ORDER BY line.upto
),
changes AS (SELECT customer_id, points FROM made),
{MOVED},
{TOLD}
"""


def redeem(
    customer_id: int,
    points: int,
    *,
    key: str,
    explanation: str,
    now: datetime,
    order: Order | None = None,
    by: Any = None,
    hold: Hold | None = None,
) -> Entry:
    """The entry that spends so many points, those that expire first before others; the same key spends them once.

    Raises Refused if there are not as many to spend. Points that an open hold keeps for a till do not count, but for
    those of `hold`, which the caller ends.
    """
    return take(
        customer_id,
        points,
        kind=Entry.Kind.REDEEM,
        key=key,
        explanation=explanation,
        now=now,
        order=order,
        by=by,
        hold=hold,
    )


def take(
    customer_id: int,
    points: int,
    *,
    key: str,
    explanation: str,
    now: datetime,
    kind: Entry.Kind = Entry.Kind.MANUAL_REMOVE,
    order: Order | None = None,
    by: Any = None,
    hold: Hold | None = None,
) -> Entry:
    """The entry that takes so many of the points that can be spent, as `redeem`; raises Refused if there are fewer."""
    if points <= 0:
        raise ValueError(f"Points to take must be positive; there were {points:,}.")
    parameters: dict[str, Any] = {"customer": customer_id, "points": points, "now": now}
    parameters |= {"key": key, "explanation": explanation, "kind": kind.value, "event": kind.event, "used_up": "spent"}
    parameters |= {"order": order and order.pk, "by": by and by.pk, "hold": hold and hold.pk}
    # Refused outside of the block, so that a caller's transaction goes on.
    if entry := _spend(parameters):
        return entry
    account = spendable([customer_id], now)[customer_id]
    own = hold.points if hold and hold.ended_at is None and hold.expires_at > now else 0
    raise Refused(too_few(points, replace(account, held=account.held - own)))


@transaction.atomic(savepoint=False)
def _spend(parameters: dict[str, Any]) -> Entry | None:
    """The entry of that key, made if there is none yet; None if there are too few points."""
    lock([parameters["customer"]])
    made = planned.made(Entry, SPEND, parameters)
    return made[0] if made else planned.first(Entry, "key = %(key)s", parameters)
