"""What saving the changed conditions of a segment would do, and doing it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet, ValidationError
from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL

from loyaltyflow.audit.telling import told
from loyaltyflow.sql import compiled, make_room
from loyaltyflow.store.models import Customer, FeedReader

from .. import refresh
from ..conditions import Condition
from ..conditions.groups import by_itself
from ..models import Segment, Use, fell
from .conflicts import Changed
from .differences import digest
from .drafts import hold
from .faults import faults

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True)
class Impact:
    """Whom the changed conditions move, and what that sets off."""

    enter: int = 0  # because of the changes; who comes in anyway is not among them
    leave: int = 0
    stay: int = 0
    starts: list[Use] = field(default_factory=list)  # live workflows that start with those who enter, if asked to
    drops: list[Use] = field(default_factory=list)  # live workflows that drop those who leave
    asked_by: list[Use] = field(default_factory=list)  # live segments whose members follow from this one's


def impact(segment: Segment, now: datetime) -> Impact:
    """What publishing the draft at `now` would do; nobody moves if there is no draft or the segment is not active."""
    idle = _told(segment)
    if segment.draft is None or not segment.is_active:
        return idle
    enter, leave = _would_move(segment, segment.draft, now)
    return replace(idle, enter=enter, leave=leave, stay=segment.memberships.open().count() - leave)


# The tree is judged once. Of those who would enter, who belongs in it without the change does not count.
WOULD_MOVE = """
WITH matching (id) AS MATERIALIZED ({matching}),
inside AS MATERIALIZED (
    SELECT customer_id FROM segments_membership WHERE segment_id = %s AND left_at IS NULL
),
astray AS MATERIALIZED (
    SELECT matching.id AS enters, inside.customer_id AS leaves
    FROM matching FULL JOIN inside ON inside.customer_id = matching.id
    WHERE matching.id IS NULL OR inside.customer_id IS NULL
)
SELECT count(enters) - (SELECT count(*) FROM ({anyway}) AS anyway), count(leaves) FROM astray
"""


def _would_move(segment: Segment, tree: Condition, now: datetime) -> tuple[int, int]:
    """How many would enter and leave if the segment were judged by the tree."""
    matching, known = _select(_all(tree, now))
    entering = RawSQL("SELECT enters FROM astray WHERE enters IS NOT NULL", [])
    anyway, also = _select(_all(segment.root, now).filter(pk__in=entering))
    with transaction.atomic(), connection.cursor() as cursor:
        make_room()
        cursor.execute(WOULD_MOVE.format(matching=matching, anyway=anyway), [*known, segment.pk, *also])
        enter, leave = cursor.fetchone()
    return enter, leave


def _select(customers: models.QuerySet[Customer]) -> tuple[str, tuple[Any, ...]]:
    """SQL for the ids of the customers, and its parameters."""
    try:
        return compiled(customers.order_by().values("pk"))
    except EmptyResultSet:
        return "SELECT id FROM store_customer WHERE false", ()


def _told(segment: Segment) -> Impact:
    """What would be set off if somebody moved, and nobody does."""
    used = [use for use in segment.used_by() if use.is_live]
    return Impact(
        stay=segment.members_now,
        starts=[use for use in used if use.starts_on_entry],
        drops=[use for use in used if use.drops_on_leave],
        asked_by=[use for use in used if use.segment],
    )


def publish(segment: Segment, now: datetime, by: "User | None", seen: str, start_workflows: bool = False) -> Impact:
    """What happened when the draft became what the segment is judged by.

    `seen` is the digest of the draft as it was drawn; raises Changed if it is another by now, and ValidationError with
    a sentence for each fault in it. Once published, the same again changes nothing. If the segment is active, its
    members move: those who enter are events only with `start_workflows`, so that no workflow starts by an edit; those
    who leave always are. So it is with the active segments that ask for it. No refresh runs meanwhile.
    """
    with transaction.atomic():
        now = _alone(now)
        held = hold(segment)
        _must_be_as(seen, held)
        done = _told(held)
        if held.draft is not None:
            _refuse(held, held.draft)
            make_room()
            affected = refresh.affected_by(held)
            _take_in_who_comes_anyway(held, affected, now)
            _take_over(held, now, by)
            entered, left = _move(held, affected, now, start_workflows)
            stay = held.memberships.open().count() - entered
            done = replace(done, enter=entered, leave=left, stay=stay)
    segment.refresh_from_db()
    return done


def _alone(now: datetime) -> datetime:
    """`now`, or the last refresh's if that is later; until the transaction ends, no refresh or publication runs."""
    FeedReader.objects.get_or_create(name=refresh.READER)
    reader = FeedReader.objects.select_for_update().get(name=refresh.READER)
    return max(now.astimezone(UTC), reader.occurred_until or now.astimezone(UTC)).astimezone(now.tzinfo)


def _must_be_as(seen: str, segment: Segment) -> None:
    if segment.draft is not None and digest(segment.draft) != seen:
        raise Changed(segment.draft_changed_by, segment.draft_changed_at, segment.draft)
    if segment.draft is None and digest(segment.root) != seen:
        raise Changed(segment.saved_by, segment.saved_at, segment.root)


def _refuse(segment: Segment, tree: Condition) -> None:
    """Raise ValidationError if the tree is not fit to be asked."""
    if by_itself(tree) is True:
        raise ValidationError(f"“{segment}” has no conditions, so everybody would be in it. Add one first.")
    if wrong := faults(tree):
        raise ValidationError([sentence for sentences in wrong.values() for sentence in sentences])


def _take_in_who_comes_anyway(segment: Segment, affected: list[Segment], now: datetime) -> None:
    """Let those in, with events, who meet the conditions as they were but of whom no refresh has heard yet."""
    for each in affected:
        coming = each.matching_of_all(now)
        if each.pk == segment.pk:
            coming = coming.filter(pk__in=_all(segment.draft, now).values("pk"))
        refresh.take_in(each, coming, now)


def _take_over(segment: Segment, now: datetime, by: "User | None") -> None:
    """Make the draft the tree by which it is judged, and forget the one before."""
    old, said = segment.root_id, segment.summary()
    segment.root = segment.draft
    nothing = {"draft": None, "draft_changed_at": None, "draft_changed_by": None}
    with told("segments.segment", segment.pk, {"conditions": said}, {"conditions": segment.summary()}):
        Segment.objects.filter(pk=segment.pk).update(root=segment.root, saved_at=now, saved_by=by, **nothing)
    fell([old] if old else [])


def _move(segment: Segment, affected: list[Segment], now: datetime, start_workflows: bool) -> tuple[int, int]:
    """How many entered and left the segment by its new conditions; those that ask for it follow."""
    moved: dict[int, dict[str, int]] = {}
    for each in affected:
        if each.pk == segment.pk:
            each.root = segment.root
        moved[each.pk] = refresh.rejudge(each, now, start_workflows)
    own = moved.get(segment.pk, {"entered": 0, "left": 0})
    return own["entered"], own["left"]


def _all(tree: Condition | None, now: datetime) -> models.QuerySet[Customer]:
    return Customer.objects.filter(tree.q_of_everybody(now)) if tree else Customer.objects.none()
