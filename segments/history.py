"""How many were in a segment on each day, how many entered it and how many left: all from its memberships."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import Count

from .comparisons.dates import midnight
from .models import Membership, Segment

# The days are told apart by the instants at which they begin, which is right whatever the clock does, and several
# times as quick as finding the local day of each row.
MOVES = """
WITH entered AS (
    SELECT width_bucket(joined_at, %(begins)s::timestamptz[]) AS day, count(*) AS people FROM segments_membership
    WHERE segment_id = %(segment)s AND joined_at >= %(first)s GROUP BY 1
),
departed AS (
    SELECT width_bucket(left_at, %(begins)s::timestamptz[]) AS day, count(*) AS people FROM segments_membership
    WHERE segment_id = %(segment)s AND left_at >= %(first)s GROUP BY 1
)
SELECT day, coalesce(entered.people, 0), coalesce(departed.people, 0)
FROM entered FULL JOIN departed USING (day)
"""


@dataclass(frozen=True)
class Day:
    """One day of a segment, on the store's calendar: who came, who went, and how many were in at its end."""

    day: date
    entered: int
    left: int
    size: int


def days(segment: Segment, count: int, now: datetime) -> list[Day]:
    """The last so many days of the segment, today included, the earliest first; `now` carries the store's zone.

    The sizes follow from how many are in now, so only the moves of these days are counted.
    """
    shown = [now.date() - timedelta(days=ago) for ago in range(count - 1, -1, -1)]
    begins = [midnight(day, now.tzinfo) for day in shown]
    with connection.cursor() as cursor:
        cursor.execute(MOVES, {"segment": segment.pk, "begins": begins, "first": begins[0]})
        moves = {day: (entered, left) for day, entered, left in cursor.fetchall()}
    found: list[Day] = []
    size = segment.members_now
    for number in range(count, 0, -1):
        entered, left = moves.get(number, (0, 0))
        found.append(Day(shown[number - 1], entered, left, size))
        size += left - entered
    return found[::-1]


def moved_since(segments: Iterable[Segment], since: datetime) -> dict[int, tuple[int, int]]:
    """How many entered and how many left each of the segments since then, by its id; two statements for all of them."""
    rows = Membership.objects.filter(segment__any=[each.pk for each in segments]).order_by()
    entered = dict(rows.filter(joined_at__gte=since).values_list("segment").annotate(Count("pk")))
    left = dict(rows.filter(left_at__gte=since).values_list("segment").annotate(Count("pk")))
    return {pk: (entered.get(pk, 0), left.get(pk, 0)) for pk in entered.keys() | left.keys()}
