"""What time does to points: those that waited can be spent, those that were not spent expire."""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction

from ..points import Entry, Lot, LotQuerySet
from .accounts import lock, owing
from .credits import recover
from .moves import MOVED, TOLD

ACTIVATE = """
WITH due AS (
    UPDATE rewards_lot SET state = 'active'
    WHERE customer_id = ANY(%(customers)s) AND state = 'pending' AND available_at <= %(now)s
    RETURNING entry_id, customer_id, remaining, available_at
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, key, properties)
    SELECT 'points_available', customer_id, available_at, 'points_available:' || entry_id,
        jsonb_build_object('points', remaining)
    FROM due ON CONFLICT DO NOTHING
)
SELECT count(*) FROM due
"""

# A lot expires at its own moment, however late that is found out, and once.
EXPIRE = f"""
WITH due AS (
    SELECT entry_id, customer_id, remaining, expires_at FROM rewards_lot
    WHERE customer_id = ANY(%(customers)s) AND remaining > 0 AND expires_at <= %(now)s
),
made AS (
    INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, explanation)
    SELECT customer_id, 'expire', -remaining, expires_at, 'expire:' || entry_id, %(explanation)s FROM due
    RETURNING id, customer_id, points, occurred_at, key
),
moves AS (
    SELECT made.id AS entry_id, due.entry_id AS lot_id, made.customer_id, due.remaining AS points, due.expires_at AS at
    FROM made JOIN due ON made.key = 'expire:' || due.entry_id
),
changes AS (SELECT customer_id, points FROM made),
{MOVED},
{TOLD}
SELECT count(*) FROM made
"""


@transaction.atomic(savepoint=False)
def activate(now: datetime, customers: Iterable[int] | None = None) -> int:
    """How many lots, of these customers or of all, can be spent since `now`; who owes points pays with them."""
    due = Lot.objects.filter(state=Lot.State.PENDING, available_at__lte=now)
    locked = _locked(due, customers)
    with connection.cursor() as cursor:
        cursor.execute(ACTIVATE, {"customers": locked, "now": now})
        activated = int(cursor.fetchone()[0])
    recover(owing(locked), now)
    return activated


@transaction.atomic(savepoint=False)
def expire(now: datetime, customers: Iterable[int] | None = None) -> int:
    """How many lots, of these customers or of all, had points left when they expired; each has one entry for them."""
    due = Lot.objects.filter(remaining__gt=0, expires_at__lte=now)
    said = {"explanation": "Not spent in time", "event": Entry.Kind.EXPIRE.event, "used_up": "expired"}
    with connection.cursor() as cursor:
        cursor.execute(EXPIRE, {**said, "customers": _locked(due, customers), "now": now})
        return int(cursor.fetchone()[0])


def _locked(due: LotQuerySet, customers: Iterable[int] | None) -> list[int]:
    """Whose lots are due, of these customers or of all; their accounts are locked."""
    of_these = due if customers is None else due.filter(customer__any=list(customers))
    return lock(of_these.values_list("customer", flat=True))
