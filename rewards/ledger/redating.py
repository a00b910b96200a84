"""New dates for points that customers have already, after staff changed the way points expire."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from ..expiry import Policy
from ..points import Lot
from ..programme import Programme
from .accounts import lock
from .moves import REDATED

# No points expire before the time of grace is over, however the programme would have dated them.
FRESH = """
WITH fresh AS (
    SELECT lot.entry_id, lot.customer_id, lot.remaining, lot.expires_at AS before,
        CASE WHEN {expires} < %(soonest)s THEN %(soonest)s ELSE {expires} END AS after
    FROM rewards_lot AS lot WHERE lot.remaining > 0 AND (lot.expires_at IS NULL OR lot.expires_at > %(now)s)
)
"""
PREVIEW = """
SELECT count(*), count(DISTINCT customer_id),
    coalesce(sum(remaining) FILTER (WHERE coalesce(after, 'infinity') > coalesce(before, 'infinity')), 0)::bigint,
    coalesce(sum(remaining) FILTER (WHERE coalesce(after, 'infinity') < coalesce(before, 'infinity')), 0)::bigint,
    coalesce(sum(remaining) FILTER (WHERE after IS NULL), 0)::bigint
FROM fresh WHERE after IS DISTINCT FROM before
"""
REDATE = """,
redated AS (
    UPDATE rewards_lot AS lot SET expires_at = fresh.after, idle_months = {idle_months}, days_warned = NULL
    FROM fresh WHERE lot.entry_id = fresh.entry_id AND fresh.after IS DISTINCT FROM fresh.before
    RETURNING lot.customer_id, lot.remaining
),
"""


@dataclass(frozen=True, slots=True)
class Redated:
    """What new dates change: lots, customers, and the points that expire later, earlier, or never from now on."""

    lots: int
    customers: int
    later: int
    earlier: int
    never: int


@transaction.atomic
def redate(now: datetime, is_only_preview: bool) -> Redated:
    """What changes when all unexpired points get the dates that they would get if they were earned today's way."""
    policy = Policy.load()
    known = {**policy.parameters, "now": now, "soonest": now + timedelta(days=policy.programme.grace_days)}
    fresh = FRESH.format(expires=policy.expires("lot.earned_at", "lot.customer_id"))
    if not is_only_preview:
        lock(Lot.objects.filter(remaining__gt=0).values_list("customer", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(fresh + PREVIEW, known)
        changed = Redated(*cursor.fetchone())
        if not is_only_preview:
            cursor.execute(fresh + REDATE.format(idle_months=policy.idle_months) + REDATED, known)
    if changed.lots and not is_only_preview:
        Programme.objects.filter(pk=1).update(points_redated_at=now)  # so that the audit says who did it
    return changed
