"""Points that go from one customer to another."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from ..bill import Refused
from ..points import Entry
from .accounts import CAN_BE_SPENT, SPENT_FIRST, lock, owing, spendable, too_few
from .credits import recover
from .lapse import expire
from .moves import MOVED, TOLD

EVERYTHING = 2**62  # more points than anybody has

# Each lot that is drawn on has a pair of entries, one out and one in, and a new lot that keeps all its dates. What is
# owed goes over as a pair without lots.
TRANSFER = """
WITH line AS (
    SELECT lot.*, sum(lot.remaining) OVER (ORDER BY {first}) AS upto
    FROM rewards_lot AS lot WHERE lot.customer_id = %(source)s AND {which}
),
parts AS (
    SELECT line.*, entry.order_id, least(line.remaining, %(points)s - (line.upto - line.remaining))::bigint AS moved
    FROM line JOIN rewards_entry AS entry ON entry.id = line.entry_id WHERE line.upto - line.remaining < %(points)s
),
debt AS (SELECT owed FROM rewards_account WHERE customer_id = %(source)s AND owed > 0 AND %(is_all)s),
sent AS (
    INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, order_id, explanation, by_id)
    SELECT %(source)s, 'transfer_out', -moved, %(now)s, %(key)s || ':out:' || entry_id, order_id, %(out)s, %(by)s::int
    FROM parts
    UNION ALL SELECT %(source)s, 'transfer_out', owed, %(now)s, %(key)s || ':out:owed', NULL, %(out)s, %(by)s::int
    FROM debt
    RETURNING id, customer_id, points, occurred_at, key, order_id
),
received AS (
    INSERT INTO rewards_entry
        (customer_id, kind, points, occurred_at, key, order_id, explanation, reverses_id, by_id)
    SELECT %(target)s, 'transfer_in', -points, %(now)s, replace(key, %(key)s || ':out:', %(key)s || ':in:'), order_id,
        %(in)s, id, %(by)s::int
    FROM sent
    RETURNING id, customer_id, points, occurred_at, key
),
made AS (
    SELECT id, customer_id, points, occurred_at FROM sent
    UNION ALL SELECT id, customer_id, points, occurred_at FROM received
),
lots AS (
    INSERT INTO rewards_lot (
        entry_id, customer_id, points, remaining, state, earned_at, available_at, expires_at, idle_months, days_warned
    )
    SELECT received.id, received.customer_id, parts.moved, parts.moved, parts.state, parts.earned_at,
        parts.available_at, parts.expires_at, parts.idle_months, parts.days_warned
    FROM received JOIN parts ON received.key = %(key)s || ':in:' || parts.entry_id
),
moves AS (
    SELECT sent.id AS entry_id, parts.entry_id AS lot_id, sent.customer_id, parts.moved AS points,
        %(now)s::timestamptz AS at
    FROM sent JOIN parts ON sent.key = %(key)s || ':out:' || parts.entry_id
    UNION ALL SELECT id, NULL, customer_id, -points, %(now)s FROM sent WHERE points > 0
    UNION ALL SELECT id, NULL, customer_id, -points, %(now)s FROM received WHERE points < 0
),
changes AS (SELECT customer_id, points FROM made),
{moved},
{told}
SELECT coalesce(sum(moved), 0) FROM parts
"""


def transfer(
    source_id: int,
    target_id: int,
    points: int | None,
    *,
    key: str,
    now: datetime,
    by: Any = None,
    explanations: tuple[str, str] = ("Moved to another customer", "Came from another customer"),
) -> int:
    """How many points went from one customer to another, with their dates; the same key moves them once.

    Those that expire first go first. None: all, with those that still wait and with what is owed, as when two customers
    turn out to be one. Raises Refused if there are fewer to spend than are to be moved.
    """
    if source_id == target_id:
        raise ValueError("Points go from one customer to another; both were the same.")
    if points is not None and points <= 0:
        raise ValueError(f"Points to move must be positive; there were {points:,}.")
    parameters: dict[str, Any] = {"source": source_id, "target": target_id, "key": key, "now": now, "by": by and by.pk}
    parameters |= {"points": EVERYTHING if points is None else points, "is_all": points is None, "used_up": "spent"}
    parameters |= {"out": explanations[0], "in": explanations[1], "event": Entry.Kind.TRANSFER_OUT.event}
    moved = _moved(parameters, now)
    if moved is None:
        raise Refused(too_few(points or 0, spendable([source_id], now)[source_id]))
    return moved


@transaction.atomic(savepoint=False)
def _moved(parameters: dict[str, Any], now: datetime) -> int | None:
    """How many points were moved; None if there are too few."""
    source, target = parameters["source"], parameters["target"]
    lock([source, target])
    if Entry.objects.filter(key__startswith=f"{parameters['key']}:out:").exists():
        return 0
    if parameters["is_all"]:
        expire(now, [source])
        recover([source], now)
    elif spendable([source], now)[source].spendable < parameters["points"]:
        return None
    which = "lot.remaining > 0" if parameters["is_all"] else CAN_BE_SPENT
    with connection.cursor() as cursor:
        cursor.execute(TRANSFER.format(which=which, first=SPENT_FIRST, moved=MOVED, told=TOLD), parameters)
        moved = int(cursor.fetchone()[0])
    recover(owing([target]), now)
    return moved
