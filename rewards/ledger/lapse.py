"""What time does to points: those that waited can be spent, those that are not spent expire, after a warning."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from loyaltyflow.store.models import FeedReader

from ..expiry import LAST_PURCHASE, Policy, some_months_after
from ..points import Entry, Lot, LotQuerySet
from .accounts import lock, owing
from .credits import recover
from .moves import MOVED, REDATED, TOLD

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

# Purchases keep points alive whose expiry says so.
PROLONG = """
WITH redated AS (
    UPDATE rewards_lot AS lot SET expires_at = fresh.expires_at, days_warned = NULL
    FROM (
        SELECT lot.entry_id, {expires} AS expires_at FROM rewards_lot AS lot
        WHERE lot.customer_id = ANY(%(customers)s) AND lot.remaining > 0 AND lot.idle_months IS NOT NULL
    ) AS fresh
    WHERE lot.entry_id = fresh.entry_id AND fresh.expires_at > lot.expires_at
    RETURNING lot.customer_id, lot.remaining
),
"""

# Each lot is warned of twice, or once if it lives less than a month.
WARN_DAYS = (30, 7)
WARN = """
WITH due AS (
    SELECT entry_id, CASE WHEN expires_at <= %(sooner)s THEN %(few)s ELSE %(many)s END AS days FROM rewards_lot
    WHERE customer_id = ANY(%(customers)s) AND remaining > 0 AND expires_at > %(now)s AND expires_at <= %(later)s
),
warned AS (
    UPDATE rewards_lot AS lot SET days_warned = due.days FROM due
    WHERE lot.entry_id = due.entry_id AND (lot.days_warned IS NULL OR lot.days_warned > due.days)
    RETURNING lot.entry_id, lot.customer_id, lot.remaining, lot.expires_at, due.days
)
INSERT INTO store_event (name, customer_id, occurred_at, key, properties)
SELECT 'points_expiring', customer_id, %(now)s,
    'points_expiring:' || entry_id || ':' || days || ':' || extract(epoch FROM expires_at)::bigint,
    jsonb_build_object('points', remaining, 'days', days)
FROM warned ON CONFLICT DO NOTHING
"""


def lapse(now: datetime) -> dict[str, int]:
    """How many lots were prolonged by purchases, can be spent since now, expired, and were warned of."""
    return {
        "prolonged": prolong(now),
        "activated": activate(now),
        "expired": expire(now),
        "warned": warn(now),
    }


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


def prolong(now: datetime) -> int:
    """How many lots live longer by the purchases that were not looked at before."""
    with FeedReader.read("ledger.prolong", now) as events:
        buyers = events.named("order_completed").values("customer")
        customers = _locked(Lot.objects.filter(remaining__gt=0, idle_months__isnull=False, customer__in=buyers), None)
        policy = Policy.load()
        purchase = LAST_PURCHASE.format(customer="lot.customer_id")
        expires = some_months_after(f"greatest(lot.earned_at, {purchase})", "lot.idle_months", policy.programme)
        with connection.cursor() as cursor:
            known = {**policy.parameters, "customers": customers, "now": now}
            cursor.execute(PROLONG.format(expires=expires) + REDATED, known)
            return int(cursor.fetchone()[0])


@transaction.atomic(savepoint=False)
def warn(now: datetime) -> int:
    """How many warnings were told of, of lots that expire within 30 days or 7."""
    many, few = WARN_DAYS
    later, sooner = now + timedelta(days=many), now + timedelta(days=few)
    # As two indexes have them: nothing is read but what is due newly.
    unwarned = Lot.objects.filter(remaining__gt=0, expires_at__gt=now, expires_at__lte=later, days_warned=None)
    once = Lot.objects.filter(remaining__gt=0, expires_at__gt=now, expires_at__lte=sooner, days_warned__gt=few)
    customers = lock(each for lots in (unwarned, once) for each in lots.values_list("customer", flat=True))
    known: dict[str, Any] = {"customers": customers, "now": now, "later": later, "sooner": sooner}
    with connection.cursor() as cursor:
        cursor.execute(WARN, {**known, "many": many, "few": few})
        return int(cursor.rowcount)


def _locked(due: LotQuerySet, customers: Iterable[int] | None) -> list[int]:
    """Whose lots are due, of these customers or of all; their accounts are locked."""
    of_these = due if customers is None else due.filter(customer__any=list(customers))
    return lock(of_these.values_list("customer", flat=True))
