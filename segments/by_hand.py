"""Who is in a static segment: put in and taken out by staff, by files and by workflows, each with an event.

Each is one statement however many customers there are. It may be part of a larger transaction, and two at the same
time wait for each other instead of making two memberships of one customer.
"""

from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import F, QuerySet

from loyaltyflow.sql import compiled
from loyaltyflow.store.models import Customer

from .models import Segment

SOURCE = "segments: by hand"  # of the events

# In the order of their numbers, so that two who put in the same customers do not wait for each other for ever.
PUT_IN = """
WITH chosen (id) AS MATERIALIZED ({chosen}),
moved AS (
    INSERT INTO segments_membership (segment_id, customer_id, joined_at)
    SELECT %s, id, %s FROM chosen ORDER BY id
    ON CONFLICT (segment_id, customer_id) WHERE left_at IS NULL DO NOTHING
    RETURNING id, customer_id
),
"""
TAKE_OUT = """
WITH chosen (id) AS MATERIALIZED ({chosen}),
held AS MATERIALIZED (
    SELECT id FROM segments_membership
    WHERE segment_id = %s AND left_at IS NULL AND customer_id IN (SELECT id FROM chosen)
    ORDER BY customer_id FOR UPDATE
),
moved AS (
    UPDATE segments_membership SET left_at = greatest(%s, joined_at)
    WHERE id IN (SELECT id FROM held) AND left_at IS NULL
    RETURNING id, customer_id
),
"""
# The membership is part of the key: who is put in, taken out and put in again at one moment entered twice.
TOLD = """
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT %s, customer_id, %s, %s, %s || ':by hand:' || id,
        jsonb_strip_nulls(jsonb_build_object('segment', %s, 'by', nullif(%s, '')))
    FROM moved
)
SELECT count(*) FROM moved
"""


def put_in(segment: Segment, customers: QuerySet[Customer], now: datetime, by: str = "") -> int:
    """The number of customers who were not in the static segment yet and are now; `by` says who or what did it.

    Raises ValidationError if the segment is not filled by hand.
    """
    return _moved(PUT_IN, "segment_entered", segment, customers, now, by)


def take_out(segment: Segment, customers: QuerySet[Customer], now: datetime, by: str = "") -> int:
    """The number of customers who were in the static segment and are no longer; `by` says who or what did it.

    Raises ValidationError if the segment is not filled by hand.
    """
    return _moved(TAKE_OUT, "segment_left", segment, customers, now, by)


def _moved(statement: str, event: str, segment: Segment, customers: QuerySet[Customer], now: datetime, by: str) -> int:
    """How many customers the statement moved; the segment's count follows."""
    segment.must_be_filled_by_hand()
    try:
        chosen, known = compiled(customers.values("pk"))
    except EmptyResultSet:
        return 0
    told: list[Any] = [event, now, SOURCE, event, segment.pk, by]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute((statement + TOLD).format(chosen=chosen), [*known, segment.pk, now, *told])
            moved = int(cursor.fetchone()[0])
        if moved:
            grown = moved if statement is PUT_IN else -moved
            Segment.objects.filter(pk=segment.pk).update(members_now=F("members_now") + grown)
    return moved
