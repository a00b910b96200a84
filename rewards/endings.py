"""How vouchers end without being used: revoked by staff, replaced by newer ones, or because their time is over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection

from loyaltyflow.sql import compiled

from .vouchers import VoucherQuerySet

NOTICES = (7, 1)  # days before its end at which a voucher is said to be about to expire

# What happens to a voucher that somebody has is an event: one statement, however many they are.
REVOKE = """
WITH ended AS (
    UPDATE rewards_voucher SET state = 'revoked', ended_at = %(now)s, note = %(reason)s
    WHERE id = ANY(ARRAY({rows})) AND state IN ('free', 'issued')
    RETURNING id, customer_id, discount_id
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT 'voucher_revoked', customer_id, %(now)s, 'rewards', 'voucher_revoked:' || id,
        jsonb_build_object('voucher', id, 'discount', discount_id)
    FROM ended WHERE customer_id IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM ended
"""
SUPERSEDE = """
WITH ended AS (
    UPDATE rewards_voucher v SET state = 'superseded', ended_at = %(now)s, superseded_by_id = newer.id
    FROM rewards_voucher newer
    WHERE newer.id = ANY(%(newer)s) AND v.customer_id = newer.customer_id AND v.workflow = newer.workflow
        AND v.state = 'issued' AND v.id <> ALL(%(newer)s)
    RETURNING v.id, v.customer_id, v.discount_id, newer.id AS newer
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT 'voucher_revoked', customer_id, %(now)s, 'rewards', 'voucher_revoked:' || id,
        jsonb_build_object('voucher', id, 'discount', discount_id, 'replaced_by', newer)
    FROM ended
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM ended
"""
EXPIRE = """
WITH ended AS (
    UPDATE rewards_voucher SET state = 'expired' WHERE state = 'issued' AND expires_at <= %(now)s
    RETURNING id, customer_id, discount_id, expires_at
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT 'voucher_expired', customer_id, expires_at, 'rewards', 'voucher_expired:' || id,
        jsonb_build_object('voucher', id, 'discount', discount_id)
    FROM ended WHERE customer_id IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM ended
"""
# Who was given a voucher for a shorter time than that is not told so long before its end, and it is not read again.
WARN = """
WITH due AS (
    SELECT id, CASE WHEN expires_at <= %(sooner)s THEN %(few)s ELSE %(many)s END AS days FROM rewards_voucher
    WHERE state = 'issued' AND customer_id IS NOT NULL AND told_days IS NULL
        AND expires_at > %(now)s AND expires_at <= %(later)s
    UNION ALL
    SELECT id, %(few)s FROM rewards_voucher
    WHERE state = 'issued' AND customer_id IS NOT NULL AND told_days > %(few)s
        AND expires_at > %(now)s AND expires_at <= %(sooner)s
),
seen AS (
    UPDATE rewards_voucher v SET told_days = due.days FROM due WHERE v.id = due.id AND v.state = 'issued'
    RETURNING v.id, v.customer_id, v.discount_id, v.expires_at, v.assigned_at, due.days
),
warned AS (SELECT * FROM seen WHERE assigned_at < expires_at - make_interval(days => days)),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT 'voucher_expiring', customer_id, expires_at - make_interval(days => days), 'rewards',
        'voucher_expiring:' || id || ':' || days,
        jsonb_build_object('voucher', id, 'discount', discount_id, 'days', days)
    FROM warned
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM warned
"""


def revoke(vouchers: VoucherQuerySet, reason: str, now: datetime) -> int:
    """How many of the vouchers can no longer be used or given from `now` on; used and ended ones stay as they are."""
    try:
        rows, known = compiled(vouchers.order_by().values("pk"))
    except EmptyResultSet:
        return 0
    values = {f"row{number}": value for number, value in enumerate(known)}
    names = tuple(f"%({name})s" for name in values)
    return _count(REVOKE.format(rows=rows % names if names else rows), now=now, reason=reason, **values)


def supersede(newer: Sequence[int], now: datetime) -> int:
    """How many vouchers that could still be used were replaced by these of the same customer and workflow."""
    return _count(SUPERSEDE, now=now, newer=list(newer)) if newer else 0


def expire(now: datetime) -> dict[str, int]:
    """How many vouchers came to their end, and how many customers are told that one is about to."""
    many, few = NOTICES
    later, sooner = now + timedelta(days=many), now + timedelta(days=few)
    expired = _count(EXPIRE, now=now)
    return {"expired": expired, "expiring": _count(WARN, now=now, many=many, few=few, later=later, sooner=sooner)}


def _count(sql: str, **values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.fetchone()[0])
