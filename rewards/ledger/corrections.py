"""Points that were taken back for returns and come again, since less was returned than was told."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, models, transaction

from loyaltyflow.sql import named

from ..points import Entry
from ..programme import Programme
from .accounts import lock, owing
from .credits import recover
from .moves import MOVED, TOLD

# Of what was forgiven nothing was taken: first, so much is not forgiven any more. Then points go into the lots that
# they came from, as far as these are the customer's and have not expired. The rest, which was owed or of which the lot
# is gone, is a new lot that lives as long as the credit's own.
PUT_BACK = f"""
WITH source AS MATERIALIZED ({{select}}),
wanted AS (
    SELECT key, customer AS customer_id, entry AS earned, "order" AS order_id, explanation, -points AS points,
        least(-points, coalesce((
            SELECT sum(forgiven.points) FROM rewards_entry AS taken
            JOIN rewards_entry AS forgiven ON forgiven.reverses_id = taken.id AND forgiven.kind = 'forgiven'
            WHERE taken.reverses_id = source.entry AND taken.kind = 'refund_reversal'
        ), 0))::bigint AS forgiven
    FROM source WHERE points < 0 AND customer = ANY(%(customers)s)
),
line AS (
    SELECT wanted.key, wanted.customer_id, wanted.points - wanted.forgiven AS points,
        taken.lot_id, taken.points AS drawn,
        sum(taken.points) OVER (PARTITION BY wanted.key ORDER BY taken.lot_id DESC) AS upto
    FROM wanted CROSS JOIN LATERAL (
        SELECT draw.lot_id, sum(draw.points) AS points
        FROM rewards_entry AS taken JOIN rewards_draw AS draw ON draw.entry_id = taken.id
        JOIN rewards_lot AS lot ON lot.entry_id = draw.lot_id AND lot.entry_id <> taken.id
        WHERE taken.reverses_id = wanted.earned AND taken.kind = 'refund_reversal'
            AND lot.customer_id = wanted.customer_id AND lot.state <> 'expired'
            AND (lot.expires_at IS NULL OR lot.expires_at > %(now)s)
        GROUP BY draw.lot_id HAVING sum(draw.points) > 0
    ) AS taken
),
parts AS (
    SELECT key, customer_id, lot_id, least(drawn, points - (upto - drawn))::bigint AS points
    FROM line WHERE upto - drawn < points
),
made AS (
    INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, order_id, explanation, reverses_id)
    SELECT customer_id, 'refund_reversal', points, %(now)s, key, order_id, explanation, earned FROM wanted
    ON CONFLICT DO NOTHING
    RETURNING id, customer_id, points, occurred_at, key, order_id, reverses_id
),
unforgiven AS (
    INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, order_id, explanation, reverses_id)
    SELECT made.customer_id, 'forgiven', -wanted.forgiven, %(now)s, made.key || ':forgiven', made.order_id,
        %(not_forgiving)s, made.id
    FROM made JOIN wanted USING (key) WHERE wanted.forgiven > 0
    RETURNING id, customer_id, points, occurred_at, reverses_id
),
anew AS (
    SELECT made.id, made.customer_id, made.reverses_id, wanted.points - wanted.forgiven - coalesce((
            SELECT sum(parts.points) FROM parts WHERE parts.key = made.key
        ), 0)::bigint AS points
    FROM made JOIN wanted USING (key)
),
lots AS (
    INSERT INTO rewards_lot
        (entry_id, customer_id, points, remaining, state, earned_at, available_at, expires_at, idle_months)
    SELECT anew.id, anew.customer_id, anew.points, anew.points,
        CASE WHEN lot.available_at > %(now)s THEN 'pending' ELSE 'active' END, lot.earned_at, lot.available_at,
        CASE WHEN lot.expires_at IS NOT NULL THEN greatest(lot.expires_at, %(grace_ends)s) END, lot.idle_months
    FROM anew JOIN rewards_lot AS lot ON lot.entry_id = anew.reverses_id WHERE anew.points > 0
),
moves AS (
    SELECT made.id AS entry_id, parts.lot_id, made.customer_id, -parts.points AS points, %(now)s::timestamptz AS at
    FROM made JOIN parts USING (key)
    UNION ALL SELECT reverses_id, NULL, customer_id, points, %(now)s FROM unforgiven
    UNION ALL SELECT id, NULL, customer_id, -points, %(now)s FROM unforgiven
),
changes AS (SELECT customer_id, points FROM made UNION ALL SELECT customer_id, points FROM unforgiven),
{MOVED},
{TOLD},
told_too AS (
    INSERT INTO store_event (name, customer_id, occurred_at, key, properties)
    SELECT 'points_forgiven', customer_id, occurred_at, 'points_forgiven:' || id, jsonb_build_object('points', points)
    FROM unforgiven
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM made
"""


@transaction.atomic(savepoint=False)
def put_back(rows: models.QuerySet[Any, Any], now: datetime) -> int:
    """How many credits were new: points below 0 of each of `rows` (movements) that were taken back for its entry."""
    try:
        select, parameters = named(rows)
    except EmptyResultSet:
        return 0
    customers = lock(rows.values_list("customer", flat=True))
    parameters |= {"customers": customers, "now": now, "event": Entry.Kind.REDEEM_REVERSAL.event, "used_up": "spent"}
    parameters |= {"grace_ends": now + timedelta(days=Programme.load().grace_days)}
    parameters |= {"not_forgiving": "Not forgiven any more, as less was returned"}
    with connections[rows.db].cursor() as cursor:
        cursor.execute(PUT_BACK.format(select=select), parameters)
        put = int(cursor.fetchone()[0])
    recover(owing(customers), now)
    return put
