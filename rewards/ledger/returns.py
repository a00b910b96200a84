"""Points that go back: redeemed ones to the customer, those of returned purchases from the customer."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, connections, models, transaction
from django.db.models import Q, Value
from django.db.models.expressions import Combinable

from loyaltyflow.sql import chosen, columns_of, named
from loyaltyflow.store.models import Customer

from ..points import Entry
from ..programme import Programme
from .accounts import lock, owing
from .credits import recover
from .moves import MOVED, TOLD
from .transfers import transfer

# What an entry took from lots is a line of points, what it took last first: so much of it was given back before, and
# what is given back now comes after that. It goes into the lots that it came from; of lots that expired meanwhile a
# new one is made, which can be spent for the time of grace.
GIVE_BACK = f"""
WITH line AS (
    SELECT draw.lot_id, draw.points, sum(draw.points) OVER (ORDER BY draw.id DESC) AS upto
    FROM rewards_draw AS draw WHERE draw.entry_id = %(entry)s AND draw.points > 0 AND draw.lot_id IS NOT NULL
),
given AS (
    SELECT coalesce(sum(points), 0) AS before FROM rewards_entry
    WHERE reverses_id = %(entry)s AND kind = 'redeem_reversal'
),
parts AS (
    SELECT line.lot_id, lot.state <> 'expired' AND (lot.expires_at IS NULL OR lot.expires_at > %(now)s) AS is_open,
        least(line.upto, given.before + %(points)s) - greatest(line.upto - line.points, given.before) AS points
    FROM given, line JOIN rewards_lot AS lot ON lot.entry_id = line.lot_id
    WHERE least(line.upto, given.before + %(points)s) > greatest(line.upto - line.points, given.before)
),
made AS (
    INSERT INTO rewards_entry
        (customer_id, kind, points, occurred_at, key, order_id, explanation, reverses_id, by_id)
    SELECT spent.customer_id, 'redeem_reversal', parts.points, %(now)s, %(key)s, spent.order_id, %(explanation)s,
        spent.id, %(by)s
    FROM rewards_entry AS spent, (SELECT sum(points) AS points FROM parts) AS parts
    WHERE spent.id = %(entry)s AND parts.points > 0
    RETURNING id, customer_id, points, occurred_at
),
grace AS (
    INSERT INTO rewards_lot (entry_id, customer_id, points, remaining, state, earned_at, available_at, expires_at)
    SELECT made.id, made.customer_id, lost.points, lost.points, 'active', %(now)s, %(now)s, %(grace_ends)s
    FROM made, (SELECT sum(points) AS points FROM parts WHERE NOT is_open) AS lost WHERE lost.points > 0
),
moves AS (
    SELECT made.id AS entry_id, parts.lot_id, made.customer_id, -parts.points::bigint AS points,
        %(now)s::timestamptz AS at
    FROM made, parts WHERE parts.is_open
),
changes AS (SELECT customer_id, points FROM made),
{MOVED},
{TOLD}
SELECT id FROM made
"""

# Debits and lots are laid along two lines of points beside each other: where they overlap, the lot gives the debit so
# many. First each order's debits beside the order's own lots; then what they still want beside what is left in the
# customer's lots that can be spent, the newest first. What they want after that is owed, or forgiven by an entry of
# its own.
TAKE_BACK = """
WITH source AS MATERIALIZED ({select}),
made AS (
    INSERT INTO rewards_entry ({columns}) SELECT {chosen} FROM source
    WHERE _customer = ANY(%(customers)s) AND _points < 0 ON CONFLICT DO NOTHING
    RETURNING id, customer_id, points, occurred_at, key, order_id
),
lots AS (
    SELECT lot.entry_id, lot.customer_id, lot.remaining, lot.earned_at, lot.available_at, entry.order_id
    FROM rewards_lot AS lot JOIN rewards_entry AS entry ON entry.id = lot.entry_id
    WHERE lot.customer_id IN (SELECT customer_id FROM made) AND lot.remaining > 0
    AND (lot.expires_at IS NULL OR lot.expires_at > %(now)s)
),
own_debits AS (
    SELECT id, customer_id, order_id, -points AS points,
        sum(-points) OVER (PARTITION BY customer_id, order_id ORDER BY id) AS upto
    FROM made
),
own_lots AS (
    SELECT entry_id, customer_id, order_id, remaining AS points,
        sum(remaining) OVER (PARTITION BY customer_id, order_id ORDER BY entry_id) AS upto
    FROM lots WHERE order_id IS NOT NULL
),
own AS (
    SELECT debit.id, lot.entry_id AS lot_id, debit.customer_id,
        least(debit.upto, lot.upto) - greatest(debit.upto - debit.points, lot.upto - lot.points) AS points
    FROM own_debits AS debit JOIN own_lots AS lot USING (customer_id, order_id)
    WHERE least(debit.upto, lot.upto) > greatest(debit.upto - debit.points, lot.upto - lot.points)
),
debits AS (
    SELECT id, customer_id, points, sum(points) OVER (PARTITION BY customer_id ORDER BY id) AS upto
    FROM (
        SELECT id, customer_id,
            points - coalesce((SELECT sum(own.points) FROM own WHERE own.id = debit.id), 0) AS points
        FROM own_debits AS debit
    ) AS debit WHERE points > 0
),
newest AS (
    SELECT entry_id, customer_id, points,
        sum(points) OVER (PARTITION BY customer_id ORDER BY earned_at DESC, entry_id DESC) AS upto
    FROM (
        SELECT lot.*,
            lot.remaining - coalesce((SELECT sum(own.points) FROM own WHERE own.lot_id = lot.entry_id), 0) AS points
        FROM lots AS lot WHERE lot.available_at <= %(now)s
    ) AS lot WHERE points > 0
),
others AS (
    SELECT debit.id, lot.entry_id AS lot_id, debit.customer_id,
        least(debit.upto, lot.upto) - greatest(debit.upto - debit.points, lot.upto - lot.points) AS points
    FROM debits AS debit JOIN newest AS lot USING (customer_id)
    WHERE least(debit.upto, lot.upto) > greatest(debit.upto - debit.points, lot.upto - lot.points)
),
short AS (
    SELECT * FROM (
        SELECT id, customer_id,
            points - coalesce((SELECT sum(others.points) FROM others WHERE others.id = debit.id), 0) AS points
        FROM debits AS debit
    ) AS debit WHERE points > 0
),
forgiven AS (
    INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, order_id, explanation, reverses_id)
    SELECT customer_id, 'forgiven', short.points, made.occurred_at, made.key || ':forgiven', made.order_id,
        %(forgiving)s, made.id
    FROM short JOIN made USING (id, customer_id) WHERE %(forgives)s
    RETURNING id, customer_id, points, occurred_at
),
moves AS (
    SELECT id AS entry_id, lot_id, customer_id, points::bigint, %(now)s::timestamptz AS at FROM own
    UNION ALL SELECT id, lot_id, customer_id, points::bigint, %(now)s FROM others
    UNION ALL SELECT id, NULL, customer_id, points::bigint, %(now)s FROM short
    UNION ALL SELECT id, NULL, customer_id, -points, %(now)s FROM forgiven
),
changes AS (SELECT customer_id, points FROM made UNION ALL SELECT customer_id, points FROM forgiven),
{moved},
{told},
told_too AS (
    INSERT INTO store_event (name, customer_id, occurred_at, key, properties)
    SELECT 'points_forgiven', customer_id, occurred_at, 'points_forgiven:' || id, jsonb_build_object('points', points)
    FROM forgiven
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM made
"""


@transaction.atomic(savepoint=False)
def give_back(
    entry: Entry,
    *,
    key: str,
    now: datetime,
    points: int | None = None,
    explanation: str = "Given back",
    by: Any = None,
) -> Entry | None:
    """The entry that gives back what was redeemed by `entry`, or part of it; None if there is nothing left to give.

    They go into the lots that they came from, what was taken last first, with the expiry that these have; in place of
    expired ones there is a new lot for the programme's days of grace. The same key gives them once.
    """
    lock(Customer.everyone.filter(Q(pk=entry.customer_id) | Q(merged=entry.customer_id)).values_list("pk", flat=True))
    if known := Entry.objects.filter(key=key).first():
        return known
    parameters = {"entry": entry.pk, "key": key, "now": now, "explanation": explanation, "by": by and by.pk}
    parameters |= {"points": -entry.points if points is None else points, "used_up": "spent"}
    parameters |= {"grace_ends": now + timedelta(days=Programme.load().grace_days)}
    with connection.cursor() as cursor:
        cursor.execute(GIVE_BACK, {**parameters, "event": Entry.Kind.REDEEM_REVERSAL.event})
        made = cursor.fetchone()
    if not made:
        return None
    recover(owing([entry.customer_id]), now)
    _hand_on(entry.customer_id, key, now, by)
    return Entry.objects.get(pk=made[0])


def _hand_on(customer_id: int, key: str, now: datetime, by: Any) -> None:
    """Move what came back to a customer who was merged to the one whom they turned out to be, with its dates."""
    kept = Customer.everyone.filter(pk=customer_id).values_list("merged_into", flat=True).first()
    if kept is not None:
        transfer(customer_id, kept, None, key=f"{key}:merged", now=now, by=by)


@transaction.atomic(savepoint=False)
def take_back(
    rows: models.QuerySet[Any, Any],
    *,
    points: Combinable,
    key: Any,
    customer: Any,
    explanation: Any,
    now: datetime,
    order: Any,
    kind: Entry.Kind = Entry.Kind.REFUND_REVERSAL,
    **more: Any,
) -> int:
    """How many debits were new: one entry for each of `rows`, whose key counts once; all or nothing.

    What is given is as in `award`; points (an expression) are positive, and rows with none are left out. They come from
    the order's own lots first, then from the customer's newest. What cannot be taken is owed, or forgiven at once by
    another entry, as the programme says.
    """
    columns = {"kind": Value(kind), "points": -points, "key": key, "customer": customer, "explanation": explanation}
    columns |= {"occurred_at": now, "rule": {}, "order": order, **more}
    try:
        select, parameters = named(chosen(rows, [(Entry, columns)]))
    except EmptyResultSet:
        return 0
    customers = lock(rows.values_list(customer, flat=True))
    parameters |= {"customers": customers, "now": now, "event": kind.event, "used_up": "cancelled"}
    parameters |= {"forgives": Programme.load().shortfall == Programme.Shortfall.FORGIVE}
    parameters |= {"forgiving": "Forgiven, as those points were spent already"}
    statement = TAKE_BACK.format(
        select=select,
        columns=columns_of(Entry, columns),
        chosen=", ".join(f"_{name}" for name in columns),
        moved=MOVED,
        told=TOLD,
    )
    with connections[rows.db].cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.fetchone()[0])
