"""Who is in which segment: built whole once, then kept up to date from what happened and from what came due.

A refresh is one transaction with its reading of the event feed, so a crash repeats nothing and loses nothing. The
number of statements depends on the number of segments, never on that of customers.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from graphlib import TopologicalSorter
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from loyaltyflow.sql import compiled, make_room
from loyaltyflow.store.models import Customer, Event, FeedReader

from .conditions import Condition
from .failing import apart
from .models import Membership, Recheck, Segment, SegmentQuerySet

READER = "segments"
FOLLOWED = "segments"  # the source of their events
EVERYBODY_FROM = 20_000  # so many candidates, and judging everybody costs less than naming them in each statement

Candidates = list[int] | None  # ids of customers; None is everybody

# Each compares by a full join, which PostgreSQL always does by hashing or sorting: right after many rows were written
# it takes a table for nearly empty, and might else go through the members once for each customer, for hours. So
# rows to change are named by an array of their ids, which is always looked up in the index.
MOVE = """
WITH matching (id) AS MATERIALIZED ({matching}),
inside AS MATERIALIZED (
    SELECT id AS membership, customer_id FROM segments_membership
    WHERE segment_id = %s AND left_at IS NULL AND (%s::bigint[] IS NULL OR customer_id = ANY(%s::bigint[]))
),
astray AS MATERIALIZED (
    SELECT matching.id AS customer_id, inside.membership
    FROM matching FULL JOIN inside ON inside.customer_id = matching.id
    WHERE matching.id IS NULL OR inside.customer_id IS NULL
),
entered AS (
    INSERT INTO segments_membership (segment_id, customer_id, joined_at)
    SELECT %s, customer_id, %s FROM astray WHERE membership IS NULL
    RETURNING customer_id
),
departed AS (
    UPDATE segments_membership SET left_at = greatest(%s, joined_at)
    WHERE %s AND left_at IS NULL AND id = ANY(ARRAY(SELECT membership FROM astray WHERE membership IS NOT NULL))
    RETURNING segments_membership.customer_id
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT name, customer_id, %s, %s, name || ':' || %s || ':' || customer_id || ':' || %s,
        jsonb_build_object('segment', %s)
    FROM (
        SELECT 'segment_entered' AS name, customer_id FROM entered WHERE %s
        UNION ALL SELECT 'segment_left', customer_id FROM departed
    ) AS moved
    WHERE %s
    ON CONFLICT DO NOTHING
)
SELECT (SELECT count(*) FROM entered), (SELECT count(*) FROM departed)
"""

SCHEDULE = """
WITH due (id, due_at) AS MATERIALIZED ({due}),
planned AS MATERIALIZED (
    SELECT id AS recheck, customer_id, due_at FROM segments_recheck
    WHERE segment_id = %s AND (%s::bigint[] IS NULL OR customer_id = ANY(%s::bigint[]))
),
changed AS MATERIALIZED (
    SELECT due.id AS customer_id, due.due_at, planned.recheck
    FROM (SELECT id, due_at FROM due WHERE due_at IS NOT NULL) AS due
    FULL JOIN planned ON planned.customer_id = due.id
    WHERE due.due_at IS DISTINCT FROM planned.due_at
),
done AS (
    DELETE FROM segments_recheck WHERE id = ANY(ARRAY(SELECT recheck FROM changed WHERE customer_id IS NULL))
)
INSERT INTO segments_recheck (segment_id, customer_id, due_at)
SELECT %s, customer_id, due_at FROM changed WHERE customer_id IS NOT NULL
ON CONFLICT (segment_id, customer_id) DO UPDATE SET due_at = excluded.due_at
"""


def build(segment: Segment, now: datetime) -> int:
    """The number of members after judging every customer at `now`; no events are recorded."""
    with transaction.atomic():
        held = Segment.objects.select_for_update(no_key=True).filter(pk=segment.pk).with_trees()[0]
        _build(held, now)
        _ask_again({held.pk})
    segment.refresh_from_db(fields=["built_at", "built_from", "members_now"])
    return segment.members_now


def refresh(now: datetime) -> dict[str, int]:
    """How many segments were built and how many customers entered and left, after bringing all live segments to `now`.

    All counts are 0 if another process is at it, or has already been at it for a later `now`. A segment that cannot be
    judged keeps its members and holds up no other; it is counted as failed, and judged anew by the next refresh.
    """
    counts = Counter(built=0, entered=0, left=0)
    with FeedReader.read(READER, now) as events:
        if events.query.is_empty():
            return dict(counts)
        segments = Segment.objects.live().select_for_update(no_key=True).with_trees()
        # Instants are compared, not times on the store's clock, which shows an hour of autumn twice.
        now = max([now.astimezone(UTC), *(each.built_at for each in segments if each.built_at)]).astimezone(now.tzinfo)
        news = _news(events) if segments else []
        for segment in _in_order(segments):
            counts.update(apart(segment, partial(_brought_to, segment, news, now)))
    return dict(counts)


def mend(segments: list[Segment], now: datetime) -> dict[str, int]:
    """What a refresh moved that judged everybody anew for the segments, counted their members and set every recheck."""
    with transaction.atomic():
        held = Segment.objects.select_for_update(no_key=True).filter(pk__any=[each.pk for each in segments])
        ids = [each.pk for each in held]
        members = Membership.objects.open().filter(segment=OuterRef("pk")).order_by().values("segment")
        count = Coalesce(Subquery(members.values(count=Count("pk"))), 0)
        Segment.objects.filter(pk__any=ids).update(built_from="", members_now=count)
    return refresh(now)


def activate(segments: SegmentQuerySet, now: datetime) -> int:
    """The number of segments that are kept up to date from now on; each is built, without events."""
    with transaction.atomic():
        asleep = segments.shown().filter(is_active=False).select_for_update(no_key=True).with_trees()
        Segment.objects.filter(pk__any=[each.pk for each in asleep]).update(is_active=True)
        for each in _in_order([each for each in asleep if not each.is_static]):
            _build(each, now)
        _ask_again({each.pk for each in asleep})
    return len(asleep)


def affected_by(segment: Segment) -> list[Segment]:
    """The segment, if it is kept up to date, and those that ask for it, directly or not; held, in order."""
    live = _in_order(Segment.objects.live().exclude(built_at=None).with_trees())
    affected = {segment.pk}
    for each in live:  # those that each asks for come before it
        if affected.intersection(each.asks_for()):
            affected.add(each.pk)
    rows = Segment.objects.live().exclude(built_at=None).filter(pk__any=sorted(affected))
    return list(_in_order(rows.select_for_update(no_key=True).with_trees()))


def take_in(segment: Segment, customers: QuerySet[Customer], now: datetime) -> int:
    """How many of the customers came in just now; each entry is an event, and nobody leaves."""
    return _move(segment, customers, [], now, FOLLOWED, leaves=False)["entered"]


def rejudge(segment: Segment, now: datetime, tells_entries: bool) -> dict[str, int]:
    """How many entered and left when everybody was judged by the conditions it has now; each leaving is an event."""
    moved = _move(segment, segment.matching_of_all(now), None, now, FOLLOWED, tells_entries=tells_entries)
    _schedule(segment, None, now)
    Segment.objects.filter(pk=segment.pk).update(built_at=now, built_from=segment.digest(now), fault="")
    return moved


def _ask_again(built: set[int]) -> None:
    """Let the next refresh judge everybody for the segments that ask for those, whose members came without events."""
    asking = [each.pk for each in Segment.objects.live().with_trees() if built.intersection(each.asks_for())]
    Segment.objects.filter(pk__any=asking).exclude(pk__in=built).update(built_from="")


def deactivate(segments: SegmentQuerySet) -> int:
    """The number of segments that are no longer kept up to date; their members stay as they are until then."""
    return segments.filter(is_active=True).update(is_active=False, built_at=None, built_from="")


def _brought_to(segment: Segment, news: Candidates, now: datetime) -> dict[str, int]:
    if segment.built_at is not None:
        return _follow(segment, news, now)
    _build(segment, now)
    return {"built": 1}


def _build(segment: Segment, now: datetime) -> None:
    _move(segment, segment.matching_of_all(now), None, now, source=None)
    _schedule(segment, None, now)
    Segment.objects.filter(pk=segment.pk).update(built_at=now, built_from=segment.digest(now), fault="")


def _follow(segment: Segment, news: Candidates, now: datetime) -> dict[str, int]:
    """Judge the customers for whom the answer may have changed; everybody, if the question has."""
    digest = segment.digest(now)
    if digest != segment.built_from:
        candidates: Candidates = None
        Segment.objects.filter(pk=segment.pk).update(built_at=now, built_from=digest)
    else:
        candidates = _together(news, _due(segment, now), _moved_elsewhere(segment, now))
    if candidates == []:
        return {}
    matching = segment.matching_of_all(now) if candidates is None else _among(segment.matching(now), candidates)
    moved = _move(segment, matching, candidates, now, FOLLOWED)
    _schedule(segment, candidates, now)
    return moved


def _in_order(segments: list[Segment]) -> Iterable[Segment]:
    """The segments, each after those it asks for; raises graphlib.CycleError if two ask for each other."""
    by_id = {each.pk: each for each in segments}
    order = TopologicalSorter({pk: {*each.asks_for()} & by_id.keys() for pk, each in by_id.items()})
    return [by_id[pk] for pk in order.static_order()]


def _news(events: QuerySet[Event]) -> Candidates:
    """Customers to whom something happened; what segments themselves recorded is followed up at once instead."""
    return _few(events.exclude(source=FOLLOWED, name__in=["segment_entered", "segment_left"]))


def _due(segment: Segment, now: datetime) -> Candidates:
    return _few(Recheck.objects.filter(segment=segment, due_at__lte=now))


def _moved_elsewhere(segment: Segment, now: datetime) -> Candidates:
    """Customers who have just entered or left a segment that this one asks for."""
    asked = {*segment.asks_for()}
    if not asked:
        return []
    return _few(Membership.objects.filter(Q(joined_at=now) | Q(left_at=now), segment__any=asked))


def _few(rows: QuerySet[Any]) -> Candidates:
    """The customers of the rows; None, which is everybody, if they are too many to name."""
    ids = list(rows.order_by().values_list("customer_id", flat=True).distinct()[:EVERYBODY_FROM])
    return ids if len(ids) < EVERYBODY_FROM else None


def _together(*groups: Candidates) -> Candidates:
    known = [group for group in groups if group is not None]
    return sorted(set().union(*known)) if len(known) == len(groups) else None


def _among(customers: QuerySet[Customer], candidates: Candidates) -> QuerySet[Customer]:
    return customers if candidates is None else customers.filter(pk__any=candidates)


def _move(
    segment: Segment,
    matching: QuerySet[Customer],
    candidates: Candidates,
    now: datetime,
    source: str | None,
    leaves: bool = True,
    tells_entries: bool = True,
) -> dict[str, int]:
    """How many entered and left: those of `matching` come in, the other candidates go out, in one statement.

    With a source, each is an event, entries only if they are to be told. Without `leaves`, who comes in is no candidate
    for leaving.
    """
    try:
        select, known = compiled(matching.values("pk"))
    except EmptyResultSet:
        select, known = "SELECT id FROM store_customer WHERE false", ()
    if candidates is None:
        make_room()
    pk, moment = segment.pk, now.astimezone(UTC).isoformat()
    inside = candidates if leaves else None
    parameters: list[Any] = [*known, pk, inside, inside, pk, now, now, leaves]
    told: list[Any] = [now, source, pk, moment, pk, tells_entries, source is not None]
    with connection.cursor() as cursor:
        cursor.execute(MOVE.format(matching=select), [*parameters, *told])
        entered, left = cursor.fetchone()
    if entered != left:
        Segment.objects.filter(pk=pk).update(members_now=F("members_now") + entered - left)
    return {"entered": entered, "left": left}


def _schedule(segment: Segment, candidates: Candidates, now: datetime) -> None:
    """Replace the candidates' rechecks by those that follow from what is known at `now`."""
    flips = _flips(segment.root, candidates, now) if segment.root else None
    if flips is None:
        _among_rechecks(segment, candidates).delete()
        return
    if candidates is None:
        make_room()
    due, known = compiled(_among(Customer.objects.all(), candidates).annotate(due_at=flips).values("pk", "due_at"))
    with connection.cursor() as cursor:
        cursor.execute(SCHEDULE.format(due=due), [*known, segment.pk, candidates, candidates, segment.pk])


def _flips(root: Condition, candidates: Candidates, now: datetime) -> Combinable | None:
    return root.flips_of_everybody(now) if candidates is None else root.flips(now)


def _among_rechecks(segment: Segment, candidates: Candidates) -> QuerySet[Recheck]:
    rechecks = Recheck.objects.filter(segment=segment)
    return rechecks if candidates is None else rechecks.filter(customer__any=candidates)
