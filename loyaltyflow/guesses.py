"""Codes that nobody knows are counted, so that nobody finds a good one by trying: of each key, and of each of staff."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.db.models import Q

from loyaltyflow.models import ApiKey, Guesses

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
Who = ApiKey | AbstractBaseUser


def seconds_to_wait(who: Who, customer: int | None, now: datetime) -> int:
    """For how long they, or the customer with them, may try no code any more; 0: they may."""
    mine = Q(customer=None, count__gte=ALLOWED)
    if customer is not None:
        mine |= Q(customer=customer, count__gte=ALLOWED_FOR_CUSTOMER)
    too_many = Guesses.objects.filter(mine, since__gt=now - WINDOW, **_by(who))
    since = too_many.order_by("-since").values_list("since", flat=True).first()
    return 0 if since is None else int((since + WINDOW - now).total_seconds()) + 1


def wait(seconds: int) -> str:
    """What they are to do, as a sentence."""
    minutes = -(-seconds // 60)
    return f"Wait {minutes} minute{'s' if minutes > 1 else ''}, then read the code again, sign by sign."


def count(who: Who, customer: int | None, number: int, now: datetime) -> None:
    """Count so many unknown codes, for them and for the customer with them."""
    customers = [None] if customer is None else [None, customer]
    by = {name: each.pk if each else None for name, each in _by(who).items()}
    known: dict[str, Any] = {**by, "customers": customers, "now": now, "before": now - WINDOW, "count": number}
    with connection.cursor() as cursor:
        cursor.execute(COUNT, known)


def _by(who: Who) -> dict[str, Who | None]:
    is_key = isinstance(who, ApiKey)
    return {"api_key": who if is_key else None, "user": None if is_key else who}
