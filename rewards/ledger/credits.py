"""Points that customers get."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, connections, models, transaction
from django.db.models import Value

from loyaltyflow import planned
from loyaltyflow.planned import numbered
from loyaltyflow.sql import chosen, columns_of, named

from ..expiry import Policy
from ..points import Entry, Lot
from .accounts import CAN_BE_SPENT, SPENT_FIRST
from .moves import MOVED

# Everything that a credit brings, from the entries that were new: their lots, the balances, the events. Accounts are
# taken in the customers' order, so that two statements never wait for each other in a circle.
AWARD = """
WITH source AS MATERIALIZED ({select}),
given AS (
    INSERT INTO rewards_entry ({columns}) SELECT {chosen} FROM source ON CONFLICT DO NOTHING
    RETURNING id, customer_id, points, occurred_at, key, explanation
),
lots AS (
    INSERT INTO rewards_lot (
        entry_id, customer_id, points, remaining, state, earned_at, available_at, expires_at, idle_months
    )
    SELECT id, customer_id, points, points, CASE WHEN available > %(now)s THEN 'pending' ELSE 'active' END,
        occurred_at, available, expires, {idle_months}
    FROM (SELECT given.*, {available} AS available, {expires} AS expires FROM {given}) AS given
    ON CONFLICT DO NOTHING
),
balances AS (
    INSERT INTO rewards_account (customer_id, balance, updated_at)
    SELECT customer_id, sum(points), %(now)s FROM given GROUP BY customer_id ORDER BY customer_id
    ON CONFLICT (customer_id)
    DO UPDATE SET balance = rewards_account.balance + excluded.balance, updated_at = excluded.updated_at
    RETURNING customer_id, owed
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, key, properties)
    SELECT %(event)s::text, customer_id, occurred_at, %(event)s::text || ':' || id,
        jsonb_build_object('points', points)
    FROM given
    ON CONFLICT DO NOTHING
)
"""
COUNTED = "SELECT (SELECT count(*) FROM given), (SELECT array_agg(customer_id) FROM balances WHERE owed > 0)"
EACH = "SELECT key, points, explanation, (SELECT array_agg(customer_id) FROM balances WHERE owed > 0) FROM given"

# What customers owe is paid for by the points that they can spend now: as much is taken from a lot as is taken off
# what they owe, both by the entry that the lot came with.
RECOVER = f"""
WITH line AS (
    SELECT lot.entry_id, lot.customer_id, lot.remaining, account.owed,
        sum(lot.remaining) OVER (PARTITION BY lot.customer_id ORDER BY {SPENT_FIRST}) AS upto
    FROM rewards_account AS account JOIN rewards_lot AS lot USING (customer_id)
    WHERE account.customer_id = ANY(%(customers)s) AND account.owed > 0 AND {CAN_BE_SPENT}
),
paid AS (
    SELECT entry_id, customer_id, least(remaining, owed - (upto - remaining))::bigint AS points
    FROM line WHERE upto - remaining < owed
),
moves AS (
    SELECT entry_id, entry_id AS lot_id, customer_id, points, %(now)s::timestamptz AS at FROM paid
    UNION ALL SELECT entry_id, NULL, customer_id, -points, %(now)s FROM paid
),
changes AS (SELECT customer_id, 0 AS points FROM paid),
{MOVED}
SELECT count(*) FROM paid
"""


class Expires(Enum):
    BY_POLICY = "as the programme says"


def award(
    rows: models.QuerySet[Any, Any],
    *,
    kind: Entry.Kind,
    points: Any,
    key: Any,
    customer: Any,
    explanation: Any,
    now: datetime,
    available_at: Any = None,
    expires_at: Any = Expires.BY_POLICY,
    policy: Policy | None = None,
    **more: Any,
) -> int:
    """How many credits were new: one entry for each of `rows`, whose key counts once, with its lot, balance and event.

    What is given (`more`: any other field of Entry) is as in `insert_select`: the name of a field of `rows`, an
    expression over them, or `Value("text")`. Points must be positive. They can be spent from `available_at` on (when
    they were earned, if left out) until `expires_at` (as the programme says when they are earned, if left out; None:
    for ever). All or nothing; who owes points pays with them as far as they can be spent. The programme's policy is
    read unless it is given.
    """
    columns = {"kind": Value(kind), "points": points, "key": key, "customer": customer, "explanation": explanation}
    columns |= {"occurred_at": now, "rule": {}, **more}
    lots = {} if available_at is None else {"available_at": available_at}
    lots |= {} if expires_at is Expires.BY_POLICY else {"expires_at": expires_at}
    try:
        select, parameters = named(chosen(rows, [(Entry, columns), (Lot, lots)]))
    except EmptyResultSet:
        return 0
    policy = policy or Policy.load()
    statement = _statement(select, [*columns], [*lots], policy) + COUNTED
    with transaction.atomic(using=rows.db, savepoint=False), connections[rows.db].cursor() as cursor:
        cursor.execute(statement, {**parameters, **policy.parameters, "now": now, "event": kind.event})
        new, owing = cursor.fetchone()
        if owing:
            recover(owing, now)
    return int(new)


@transaction.atomic(savepoint=False)
def award_planned(
    select: str, parameters: Sequence[Any], columns: Sequence[str], *, kind: Entry.Kind, policy: Policy, now: datetime
) -> list[tuple[str, int, str]]:
    """Key, points and explanation of the credits that were new: as `award`, by a statement that is planned once.

    What is given is a SELECT of the columns, fields of Entry, and of `available_at`; each is called with `_` before.
    """
    source, named_parameters = numbered(select, parameters)
    statement = _statement(source, columns, ["available_at"], policy) + EACH
    known = {**named_parameters, **policy.parameters, "now": now, "event": kind.event}
    found = planned.rows(statement, known)
    recover(sorted({customer for row in found for customer in row[-1] or ()}), now)
    return [(key, points, explanation) for key, points, explanation, _owing in found]


def _statement(select: str, columns: Sequence[str], lots: Sequence[str], policy: Policy) -> str:
    """All but the end of the statement that gives what the SELECT finds."""
    is_by_policy = "expires_at" not in lots
    return AWARD.format(
        select=select,
        columns=columns_of(Entry, columns),
        chosen=", ".join(f"_{name}" for name in columns),
        available="source._available_at" if "available_at" in lots else "given.occurred_at",
        expires=policy.expires("given.occurred_at", "given.customer_id") if is_by_policy else "source._expires_at",
        idle_months=policy.idle_months if is_by_policy else "NULL::smallint",
        given="given JOIN source ON source._key = given.key" if lots else "given",
    )


def recover(customers: list[int], now: datetime) -> int:
    """From how many lots it was taken what the customers owe; their accounts are locked by the caller."""
    if not customers:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(RECOVER, {"customers": customers, "now": now, "used_up": "spent"})
        return int(cursor.fetchone()[0])
