"""Codes that nobody knows are counted, so that nobody finds a good one by trying: of each key, and of each of staff."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection

from loyaltyflow import planned
from loyaltyflow.models import ApiKey

WINDOW = timedelta(minutes=15)
ALLOWED_FOR_CUSTOMER = 10
ALLOWED = 100  # of one key or person, with whichever customers
COUNT = """
INSERT INTO loyaltyflow_guesses AS known (api_key_id, user_id, customer, since, count)
SELECT %(api_key)s, %(user)s, customer, %(now)s, %(count)s
FROM unnest(%(customers)s::bigint[]) AS customer ORDER BY customer
ON CONFLICT (api_key_id, user_id, customer) DO UPDATE SET
    since = CASE WHEN known.since <= %(before)s THEN excluded.since ELSE known.since END,
    count = CASE WHEN known.since <= %(before)s THEN excluded.count ELSE known.count + excluded.count END
"""
TOO_MANY = """
SELECT max(since) FROM loyaltyflow_guesses
WHERE (api_key_id = %(api_key)s::bigint OR user_id = %(user)s::bigint) AND since > %(before)s
    AND (customer IS NULL AND count >= %(allowed)s OR customer = %(customer)s::bigint AND count >= %(for_customer)s)
"""
Who = ApiKey | AbstractBaseUser


def seconds_to_wait(who: Who, customer: int | None, now: datetime) -> int:
    """For how long they, or the customer with them, may try no code any more; 0: they may."""
    asked = {**_ids(who), "customer": customer, "before": now - WINDOW}
    [(since,)] = planned.rows(TOO_MANY, {**asked, "allowed": ALLOWED, "for_customer": ALLOWED_FOR_CUSTOMER})
    return 0 if since is None else int((since + WINDOW - now).total_seconds()) + 1


def wait(seconds: int) -> str:
    """What they are to do, as a sentence."""
    minutes = -(-seconds // 60)
    return f"Wait {minutes} minute{'s' if minutes > 1 else ''}, then read the code again, sign by sign."


def count(who: Who, customer: int | None, number: int, now: datetime) -> None:
    """Count so many unknown codes, for them and for the customer with them."""
    customers = [None] if customer is None else [None, customer]
    known: dict[str, Any] = {**_ids(who), "customers": customers, "now": now, "before": now - WINDOW, "count": number}
    with connection.cursor() as cursor:
        cursor.execute(COUNT, known)


def _ids(who: Who) -> dict[str, int | None]:
    is_key = isinstance(who, ApiKey)
    return {"api_key": who.pk if is_key else None, "user": None if is_key else who.pk}
