"""Points that go back when purchases are returned, and come again when less was than was said.

They are worked out from what each entry keeps and from nothing else.
"""

from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import models

from loyaltyflow.sql import compiled
from loyaltyflow.store.models import Order, StoreSettings

from .. import ledger
from ..amounts import Written
from ..models import Entry, Movement

# What was paid back for a line takes the points of that line; what was paid back without saying for which, its share of
# all points. Only what comes of it in all is rounded down, so that the order of refunds does not matter; when nothing
# is kept of the order, all of its points go. The key says how many went in all, so that none goes twice. If less was
# paid back than was said before, points come again: what is taken in all is always that of what is paid back. Points
# that a merged customer earned are with the one whom they turned out to be, and so are taken there.
#
# Entries of old name no lines: they were made when the return window was over, for what had not been paid back by then.
DUE = """
terms AS (SELECT %s::timestamptz AS now, {columns}),
chosen (id, external_id, net, cancelled_at, refunded_at) AS MATERIALIZED ({orders}),
corrected AS MATERIALIZED (
    SELECT DISTINCT r.order_id AS id FROM rewards_entry AS r JOIN chosen AS o ON o.id = r.order_id
    WHERE r.kind = 'refund_reversal'
),
paid_back AS MATERIALIZED (
    SELECT r.order_id AS id, r.line, sum(r.amount) AS amount
    FROM store_refund AS r JOIN chosen AS o ON o.id = r.order_id CROSS JOIN terms AS t
    WHERE r.at <= t.now GROUP BY r.order_id, r.line
),
returned AS MATERIALIZED (
    SELECT o.*, coalesce(b.amount, 0) AS amount,
        coalesce(o.cancelled_at <= t.now, false) AS is_cancelled,
        coalesce(o.cancelled_at <= t.now OR o.refunded_at <= t.now, false)
            OR o.net > 0 AND coalesce(b.amount >= o.net, false) AS is_whole
    FROM chosen AS o CROSS JOIN terms AS t
    LEFT JOIN (SELECT id, sum(amount) AS amount FROM paid_back GROUP BY id) AS b USING (id)
    WHERE b.amount >= 0 OR o.cancelled_at <= t.now OR o.refunded_at <= t.now
        OR o.id IN (SELECT id FROM corrected)
),
earned AS MATERIALIZED (
    SELECT e.id, coalesce(c.merged_into_id, e.customer_id) AS customer_id, e.points, e.rule, o.id AS order_id,
        o.external_id, o.net, o.amount, o.is_cancelled, o.is_whole,
        coalesce((e.rule ->> 'exact')::numeric, e.points) AS exact, e.rule -> 'parts' IS NOT NULL AS has_lines,
        CASE WHEN e.rule -> 'parts' IS NULL THEN coalesce((
            SELECT sum(r.amount) FROM store_refund AS r WHERE r.order_id = o.id AND r.at <= e.occurred_at
        ), 0) END AS before
    FROM rewards_entry AS e JOIN returned AS o ON o.id = e.order_id JOIN store_customer AS c ON c.id = e.customer_id
    WHERE e.kind = 'earn'
),
lines AS (
    SELECT e.id, e.order_id, line.key::int AS line,
        (line.value ->> 0)::numeric AS net, (line.value ->> 1)::numeric AS exact
    FROM earned AS e CROSS JOIN jsonb_array_elements(e.rule -> 'parts') AS part
    CROSS JOIN jsonb_each(part -> 'lines') AS line WHERE NOT e.is_whole
),
shares AS (
    SELECT e.id, e.exact * least(b.amount / e.net, 1) AS exact
    FROM earned AS e JOIN paid_back AS b ON b.id = e.order_id
    WHERE NOT e.is_whole AND e.net > 0 AND b.line IS NULL AND e.has_lines
    UNION ALL
    SELECT e.id, e.exact * least((e.amount - e.before) / (e.net - e.before), 1)
    FROM earned AS e WHERE NOT e.is_whole AND NOT e.has_lines AND e.net > e.before AND e.amount > e.before
    UNION ALL
    SELECT l.id, l.exact * CASE WHEN l.net > 0 THEN least(b.amount / l.net, 1) ELSE 1 END
    FROM lines AS l JOIN paid_back AS b ON b.id = l.order_id AND b.line = l.line
),
dues AS (
    SELECT e.*,
        CASE WHEN is_whole THEN points
            ELSE greatest(least(points, floor(round(coalesce(s.exact, 0), 6)))::bigint, 0) END AS due,
        coalesce(r.taken, 0)::bigint AS taken, r.corrections
    FROM earned AS e LEFT JOIN (SELECT id, sum(exact) AS exact FROM shares GROUP BY id) AS s USING (id)
    CROSS JOIN LATERAL (
        SELECT -sum(r.points) AS taken, count(*) FILTER (WHERE r.points > 0) AS corrections
        FROM rewards_entry AS r WHERE r.reverses_id = e.id AND r.kind = 'refund_reversal'
    ) AS r
),
movements AS (
    SELECT 'refund:' || d.id || ':' || d.due || CASE WHEN d.due < d.taken THEN ':corrected' ELSE '' END
            || CASE WHEN d.corrections > 0 THEN ':' || d.corrections ELSE '' END AS key,
        d.customer_id AS customer, t.now AS occurred_at,
        d.due - d.taken AS points, d.order_id AS "order", d.id AS entry,
        left(CASE WHEN d.is_cancelled THEN 'Order ' || d.external_id || ' was cancelled'
            ELSE {amount} || ' of ' || {net} || ' paid back for order ' || d.external_id END, 150)
            || ': ' || d.due || ' of ' || d.points || ' points taken back' AS explanation, '{{}}'::jsonb AS rule
    FROM dues AS d CROSS JOIN terms AS t WHERE d.due <> d.taken
)
"""


def reverse(orders: models.QuerySet[Order], now: datetime, by: Any = None) -> int:
    """How many movements were new: points that go back since the orders were refunded or cancelled by `now`.

    A second call takes nothing; never more goes back than was earned. If less was refunded than was told before, they
    come again.
    """
    found = due(orders, now)
    signs = {points > 0 for points in found.order_by().values_list("points", flat=True)}
    taken = _take_back(found.filter(points__gt=0), now, by) if True in signs else 0
    return taken + (ledger.put_back(found.filter(points__lt=0), now) if False in signs else 0)


def _take_back(movements: models.QuerySet[Movement], now: datetime, by: Any) -> int:
    return ledger.take_back(
        movements,
        points=models.F("points"),
        key="key",
        customer="customer",
        explanation="explanation",
        now=now,
        order="order",
        kind=Entry.Kind.REFUND_REVERSAL,
        reverses="entry",
        by=by and by.pk,
    )


def due(orders: models.QuerySet[Order], now: datetime) -> models.QuerySet[Movement]:
    """What is to be taken back for the orders, and was not yet; below 0: what was taken and should not have been."""
    values = Written.of(StoreSettings.load()).values()
    names = ("pk", "external_id", "net", "cancelled_at", "refunded_at")
    try:
        sql, parameters = compiled(orders.order_by().values_list(*names))
    except EmptyResultSet:
        return Movement.objects.none()
    known = {"columns": Written.columns(), "amount": Written.money("d.amount"), "net": Written.money("d.net")}
    queries = DUE.format(orders=sql, **known)
    return Movement.over(queries, [now, *values, *parameters])
