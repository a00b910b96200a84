"""Codes that nobody knows are counted, so that nobody finds a good one by trying."""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q
from rest_framework import status
from rest_framework.exceptions import APIException

from loyaltyflow.models import ApiKey, Guesses

WINDOW = timedelta(minutes=15)
ALLOWED_FOR_CUSTOMER = 10
ALLOWED_FOR_KEY = 100
COUNT = """
INSERT INTO loyaltyflow_guesses AS known (api_key_id, customer, since, count)
SELECT %(key)s, customer, %(now)s, %(count)s FROM unnest(%(customers)s::bigint[]) AS customer ORDER BY customer
ON CONFLICT (api_key_id, customer) DO UPDATE SET
    since = CASE WHEN known.since <= %(before)s THEN excluded.since ELSE known.since END,
    count = CASE WHEN known.since <= %(before)s THEN excluded.count ELSE known.count + excluded.count END
"""


class TooManyGuesses(APIException):
    """Too many codes that nobody knows were sent."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "too_many_guesses"

    def __init__(self, seconds: int) -> None:
        minutes = -(-seconds // 60)
        super().__init__(
            f"Too many codes were sent that nobody knows. Wait {minutes} minute{'s' if minutes > 1 else ''}, then "
            "read the code again, sign by sign."
        )
        self.wait = seconds


def must_be_few(key: ApiKey, customer: int | None, now: datetime) -> None:
    """Raise TooManyGuesses while the key, or the customer at it, has sent too many unknown codes lately."""
    mine = Q(customer=None, count__gte=ALLOWED_FOR_KEY)
    if customer is not None:
        mine |= Q(customer=customer, count__gte=ALLOWED_FOR_CUSTOMER)
    too_many = Guesses.objects.filter(mine, api_key=key, since__gt=now - WINDOW)
    since = too_many.order_by("-since").values_list("since", flat=True).first()
    if since is not None:
        raise TooManyGuesses(int((since + WINDOW - now).total_seconds()) + 1)


def count(key: ApiKey, customer: int | None, number: int, now: datetime) -> None:
    """Count so many unknown codes, for the key and for the customer."""
    customers = [None] if customer is None else [None, customer]
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT,
            {"key": key.pk, "customers": customers, "now": now, "before": now - WINDOW, "count": number},
        )
