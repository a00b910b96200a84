"""How many points bills earn: the one statement by which quotes, purchases and past orders are all worked out."""

from datetime import datetime
from functools import cache
from typing import Any

from django.db import models

from loyaltyflow.store.models import StoreSettings

from ..amounts import Written
from ..models import EarningRule, Movement, Programme
from .bills import Bills

RATES = ("per_spend", "per_unit", "per_order", "rate", "each", "least")

# Before it come `bills` (bill, customer, at, factor: what a voucher multiplies by), `lines` (bill, number, product,
# quantity, net: what is paid for the goods) and `terms`, the programme's and the store's.
#
# Whose bill it is and when stays with its goods to the end, and goods meet multipliers before bills do: PostgreSQL
# cannot know how many of them there will be, and would be prone to compare each bill with each other.
#
# Goods that earn nothing are left out of everything. Rules and multipliers find their goods by product, so that many of
# them cost little. A line earns what its rules give times its own factor, and only a whole bill is rounded down.
SUMS = """
buyers AS MATERIALIZED (
    SELECT b.bill, b.customer, b.at, b.factor, b.at AT TIME ZONE t.zone AS local
    FROM bills AS b CROSS JOIN terms AS t LEFT JOIN store_customer AS c ON c.id = b.customer
    WHERE b.customer IS NULL
        OR c.loyalty_joined_at <= b.at AND (c.loyalty_left_at IS NULL OR c.loyalty_left_at > b.at)
        OR t.earns_before_joining AND b.at < c.loyalty_joined_at
            AND c.loyalty_joined_at <= t.now AND (c.loyalty_left_at IS NULL OR c.loyalty_left_at > t.now)
),
goods AS MATERIALIZED (
    SELECT b.bill, b.customer, b.at, b.factor AS voucher,
        l.number, l.product, coalesce(p.category, '') AS category, l.quantity, l.net
    FROM lines AS l JOIN buyers AS b USING (bill) LEFT JOIN store_product AS p ON p.id = l.product
    WHERE coalesce(p.earns_points, true)
),
named AS MATERIALIZED (SELECT DISTINCT product, category FROM goods WHERE product IS NOT NULL),
rules AS MATERIALIZED (
    SELECT r.id AS rule, r.name, r.starts_at, r.ends_at, r.categories, k.*,
        r.categories <> '{{}}' OR EXISTS (SELECT FROM rewards_earningrule_products AS p WHERE p.earningrule_id = r.id)
            AS is_choosy
    FROM rewards_earningrule AS r JOIN ({kinds}) AS k ON k.id = r.id WHERE r.is_active
),
ruled AS MATERIALIZED (
    SELECT p.earningrule_id AS rule, p.product_id AS product
    FROM rewards_earningrule_products AS p JOIN named AS n ON n.product = p.product_id
    UNION
    SELECT r.rule, n.product
    FROM rules AS r CROSS JOIN unnest(r.categories) AS c (category) JOIN named AS n USING (category)
),
counted AS MATERIALIZED (
    SELECT g.bill, g.customer, g.at, g.voucher, r.rule, g.number, g.quantity, g.net
    FROM goods AS g
    JOIN rules AS r ON NOT r.is_choosy AND r.starts_at <= g.at AND (r.ends_at IS NULL OR r.ends_at > g.at)
    UNION ALL
    SELECT g.bill, g.customer, g.at, g.voucher, r.rule, g.number, g.quantity, g.net
    FROM goods AS g JOIN ruled USING (product)
    JOIN rules AS r ON r.rule = ruled.rule AND r.starts_at <= g.at AND (r.ends_at IS NULL OR r.ends_at > g.at)
),
multipliers AS MATERIALIZED (
    SELECT m.*,
        categories <> '{{}}' OR EXISTS (SELECT FROM rewards_multiplier_products AS p WHERE p.multiplier_id = m.id)
            AS is_choosy,
        EXISTS (SELECT FROM rewards_multiplier_segments AS s WHERE s.multiplier_id = m.id) AS asks_segments,
        EXISTS (SELECT FROM rewards_multiplier_tiers AS s WHERE s.multiplier_id = m.id) AS asks_tiers
    FROM rewards_multiplier AS m WHERE is_active
),
fitting AS MATERIALIZED (
    SELECT b.bill, m.id, m.factor, m.is_choosy
    FROM buyers AS b JOIN multipliers AS m
        ON (m.starts_at IS NULL OR m.starts_at <= b.at) AND (m.ends_at IS NULL OR m.ends_at > b.at)
    CROSS JOIN LATERAL (SELECT
        b.local::time AS hour,
        extract(isodow FROM CASE WHEN m.from_hour > m.until_hour AND b.local::time < m.until_hour
            THEN b.local - interval '1 day' ELSE b.local END)::int AS day
    ) AS clock
    WHERE (m.weekdays = '{{}}' OR clock.day = ANY (m.weekdays))
        AND CASE WHEN m.from_hour > m.until_hour THEN clock.hour >= m.from_hour OR clock.hour < m.until_hour
            ELSE (m.from_hour IS NULL OR clock.hour >= m.from_hour)
                AND (m.until_hour IS NULL OR clock.hour < m.until_hour) END
        AND (NOT m.asks_segments OR EXISTS (
            SELECT FROM rewards_multiplier_segments AS a JOIN segments_membership AS s USING (segment_id)
            WHERE a.multiplier_id = m.id AND s.customer_id = b.customer
                AND s.joined_at <= b.at AND (s.left_at IS NULL OR s.left_at > b.at)))
        AND (NOT m.asks_tiers OR EXISTS (
            SELECT FROM rewards_multiplier_tiers AS a JOIN rewards_standing AS s USING (tier_id)
            WHERE a.multiplier_id = m.id AND s.customer_id = b.customer
                AND s.since <= b.at AND (s.until IS NULL OR s.until > b.at)))
    UNION ALL
    SELECT bill, 0, factor, false FROM buyers WHERE factor <> 1
),
multiplied AS MATERIALIZED (
    SELECT p.multiplier_id AS id, p.product_id AS product
    FROM rewards_multiplier_products AS p JOIN named AS n ON n.product = p.product_id
    UNION
    SELECT m.id, n.product
    FROM multipliers AS m CROSS JOIN unnest(m.categories) AS c (category) JOIN named AS n USING (category)
),
touched AS MATERIALIZED (SELECT g.bill, g.number, m.id FROM goods AS g JOIN multiplied AS m USING (product)),
factors AS MATERIALIZED (
    SELECT bill, number,
        CASE WHEN min(factor) = 0 THEN 0 WHEN t.multiplies THEN rewards_product(factor) ELSE max(factor) END AS factor,
        CASE WHEN min(factor) = 0 THEN (array_agg(id ORDER BY factor, id))[1:1]
            WHEN t.multiplies THEN array_agg(id ORDER BY id)
            ELSE (array_agg(id ORDER BY factor DESC, id))[1:1] END AS multipliers
    FROM (
        SELECT g.bill, g.number, f.id, f.factor FROM goods AS g JOIN fitting AS f USING (bill) WHERE NOT f.is_choosy
        UNION ALL
        SELECT t.bill, t.number, f.id, f.factor FROM touched AS t JOIN fitting AS f USING (bill, id) WHERE f.is_choosy
    ) AS applied CROSS JOIN terms AS t
    GROUP BY bill, number, t.multiplies
),
weighed AS (
    SELECT c.*, sum(net) OVER w AS total,
        CASE WHEN sum(net) OVER w > 0 THEN net / sum(net) OVER w
            ELSE (number = min(number) OVER w)::int END AS share
    FROM counted AS c WINDOW w AS (PARTITION BY bill, rule)
),
parts AS (
    SELECT w.bill, w.customer, w.at, w.voucher, w.rule, own.factor, own.multipliers,
        sum(w.net) AS net, sum(w.quantity) AS quantity, sum(exact) AS exact,
        jsonb_object_agg(w.number, jsonb_build_array(w.net, trim_scale(exact))) AS lines
    FROM weighed AS w JOIN rules AS r USING (rule) LEFT JOIN factors AS f USING (bill, number)
    CROSS JOIN LATERAL (SELECT coalesce(f.factor, 1) AS factor, coalesce(f.multipliers, '{{}}') AS multipliers) AS own
    CROSS JOIN LATERAL (SELECT round(
        (r.per_spend * w.net + r.per_unit * w.quantity + r.per_order * w.share) * own.factor, 8) AS exact) AS worth
    WHERE w.total >= r.least
    GROUP BY w.bill, w.customer, w.at, w.voucher, w.rule, own.factor, own.multipliers
),
explained AS (
    SELECT p.bill, p.customer, p.at, p.rule, r.name, r.kind, r.rate, r.each, p.exact, p.factor, which.names,
        CASE WHEN p.factor = 1 THEN '' ELSE {factor} || ' × ' END
            || replace(replace(replace(replace(r.words,
                '{{points}}', {rate} || CASE WHEN r.rate = 1 THEN ' point' ELSE ' points' END),
                '{{each}}', {each}), '{{net}}', {net}),
                '{{units}}', {quantity} || CASE WHEN p.quantity = 1 THEN ' unit' ELSE ' units' END)
            || CASE WHEN p.factor = 0 THEN ' (' || which.names || ')' ELSE '' END AS words,
        jsonb_build_object('factor', trim_scale(p.factor), 'multipliers', which.known, 'lines', p.lines) AS kept
    FROM parts AS p JOIN rules AS r USING (rule) CROSS JOIN terms AS t
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(jsonb_build_object('multiplier', id, 'name', coalesce(m.name, 'Voucher'),
                'factor', trim_scale(coalesce(m.factor, p.voucher))) ORDER BY id), '[]') AS known,
            string_agg(coalesce(m.name, 'Voucher'), ', ' ORDER BY id) AS names
        FROM unnest(p.multipliers) AS id LEFT JOIN multipliers AS m USING (id)
    ) AS which
),
sums AS (
    SELECT e.bill, e.customer, e.at, e.rule, floor(round(sum(e.exact), 6))::bigint AS points,
        left(string_agg(e.words, ' + ' ORDER BY e.factor DESC, e.names), 170)
            || ' = ' || floor(round(sum(e.exact), 6))::bigint AS explanation,
        jsonb_build_object('rule', e.rule, 'name', e.name, 'kind', e.kind, 'points', trim_scale(e.rate),
            'each', trim_scale(e.each), 'exact', trim_scale(sum(e.exact)), 'parts', jsonb_agg(e.kept)) AS snapshot
    FROM explained AS e
    GROUP BY e.bill, e.customer, e.at, e.rule, e.name, e.kind, e.rate, e.each
    HAVING sum(e.exact) >= 1 OR min(e.factor) = 0
),
movements AS (
    SELECT 'earn:' || s.rule || ':' || s.bill AS key, s.customer, s.at AS occurred_at, s.points,
        s.bill AS "order", NULL::bigint AS entry, s.explanation, s.snapshot AS rule
    FROM sums AS s
)
"""
TERMS = """
terms AS (
    SELECT %s::timestamptz AS now, %s::text AS zone, %s::boolean AS multiplies, %s::boolean AS earns_before_joining,
        {columns}
)"""


def worked_out(bills: Bills, programme: Programme, store: StoreSettings, now: datetime) -> models.QuerySet[Movement]:
    """What each of the bills earns its customer by each rule; 0 points where a multiplier takes them all away."""
    return Movement.over(*queries(bills, programme, store, now))


def queries(bills: Bills, programme: Programme, store: StoreSettings, now: datetime) -> tuple[str, list[Any]]:
    """The same as the queries of a statement, the last of which is `movements`, and their parameters."""
    multiplies = programme.combination == Programme.Combination.MULTIPLY
    terms = [now, store.time_zone, multiplies, programme.earns_before_joining, *Written.of(store).values()]
    return f"{bills.sql}, {_queries()}", [*bills.parameters, *terms]


@cache
def _queries() -> str:
    kinds = " UNION ALL ".join(_rates(kind) for kind in EarningRule.kinds() if kind.rates)
    sums = SUMS.format(
        kinds=kinds,
        factor=Written.number("p.factor"),
        rate=Written.number("r.rate"),
        each=Written.money("r.each", is_short=True),
        net=Written.money("p.net"),
        quantity=Written.number("p.quantity"),
    )
    return f"{TERMS.format(columns=Written.columns())}, {sums}"


def _rates(kind: type[EarningRule]) -> str:
    """The rules of that kind, as the statement reads them."""
    columns = ", ".join(f"({said})::numeric AS {name}" for said, name in zip(kind.rates or (), RATES, strict=True))
    name, table = kind._meta.model_name, kind._meta.db_table
    return (
        f"SELECT earningrule_ptr_id AS id, '{name}' AS kind, '{_literal(kind.words)}' AS words, {columns} FROM {table}"
    )


def _literal(words: str) -> str:
    return words.replace("'", "''").replace("%", "%%")
