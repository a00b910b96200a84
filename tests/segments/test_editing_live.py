"""Staff change live segments while customers come and go, and the members are still those of a full evaluation."""

from contextlib import suppress
from datetime import UTC, datetime
from random import Random

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from loyaltyflow.store.models import Event, StoreSettings
from segments import refresh
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.none_of import NoneOf
from segments.editing import drafts, publishing
from segments.models import Membership, Segment

from . import histories
from .agreement import astray, between, leaves_of, plant, wipe
from .moments import walk
from .population import happen, known, populate
from .trees import Plain, forests, leaves, unsaved

pytestmark = pytest.mark.django_db(transaction=True)
TREES, PEOPLE, DAYS = 3, 4, 20
Move = tuple[str, int, int, datetime]
# When customers came and went without events, in UTC: on a clock that shows an hour twice, moments equal no others.
Quiet = set[datetime]


@given(forest=forests(TREES), spare=st.lists(leaves(0), min_size=3, max_size=3), seed=st.integers(0, 2**32 - 1))
def test_members_follow_every_change_of_the_conditions(forest, spare, seed):
    chance = Random(seed)
    wipe()
    histories.furnish()
    plant(forest)
    ticks, quiet = walk(chance, DAYS), set[datetime]()
    with transaction.atomic():
        people = populate(chance, PEOPLE, ticks[0], *leaves_of(Segment.objects.exclude(root=None).with_trees()))
    refresh.refresh(ticks[0])
    quiet.add(ticks[0].astimezone(UTC))
    for before, now in zip(ticks, ticks[1:], strict=False):
        for moment in sorted(between(chance, before, now) for _ in range(chance.randrange(4))):
            if chance.random() < 0.5:
                edit(chance, moment, spare, quiet)
            else:
                happen(
                    chance, chance.choice(people), moment, leaves_of(Segment.objects.exclude(root=None).with_trees())
                )
        refresh.refresh(now)
        assert astray(Segment.objects.live().with_trees(), known(), now) == []
    told, moves = told_and_moves()
    assert told <= moves
    assert {move for move in moves - told if move[3] not in quiet} == set()


def edit(chance: Random, now: datetime, spare: list[Plain], quiet: Quiet) -> None:
    """Something that staff do to one of the segments; they are told what makes no sense."""
    segment = chance.choice(Segment.objects.exclude(root=None).with_trees("draft"))
    act = chance.choice([publish, publish, switch, move_the_store, draft, draft, draft])
    with suppress(ValidationError):
        act(chance, segment, now, spare, quiet)


def draft(chance: Random, segment: Segment, now: datetime, spare: list[Plain], quiet: Quiet) -> None:
    rows = list(segment.edited().walk())
    row = chance.choice(rows)
    group = chance.choice([each for each in rows if each.takes_parts])
    match chance.randrange(6):
        case 0 | 1:
            drafts.add(segment, group.number, unsaved(chance.choice(spare)), None, now)
        case 2:
            drafts.delete(segment, row.number, None, now)
        case 3:
            drafts.negate(segment, row.number, None, now)
        case 4:
            drafts.set_mode(segment, group.number, chance.choice([AllOf, AnyOf, NoneOf]), None, now)
        case 5:
            drafts.move(segment, row.number, group.number, chance.randrange(3), None, now)


def publish(chance: Random, segment: Segment, now: datetime, spare: list[Plain], quiet: Quiet) -> None:
    """What it says that it will do is what it does, while nobody comes or goes anyway; without a draft, nothing."""
    was_changed = segment.draft is not None
    starts = chance.choice([True, False])
    quiet |= set() if starts else {now.astimezone(UTC)}
    foreseen = publishing.impact(segment, now)
    done = publishing.publish(segment, now, None, drafts.digest(segment.draft or segment.root), starts)
    assert (done.enter, done.leave, done.stay) == (foreseen.enter, foreseen.leave, foreseen.stay)
    if segment.is_active and was_changed:
        assert astray(Segment.objects.filter(pk=segment.pk).with_trees(), known(), now) == []


def switch(chance: Random, segment: Segment, now: datetime, spare: list[Plain], quiet: Quiet) -> None:
    rows = Segment.objects.filter(pk=segment.pk)
    if refresh.deactivate(rows) == 0:
        quiet.add(now.astimezone(UTC))
        refresh.activate(rows, now)


def move_the_store(chance: Random, segment: Segment, now: datetime, spare: list[Plain], quiet: Quiet) -> None:
    """The store's own state is what customers from elsewhere are told by."""
    StoreSettings.objects.update(state=chance.choice(["MA", "NH", ""]))


def told_and_moves() -> tuple[set[Move], set[Move]]:
    """The entries and leavings that events tell of, and those that there were; what staff did quietly is not told."""
    told = Event.objects.filter(source=refresh.FOLLOWED).values_list(
        "name", "properties__segment", "customer_id", "occurred_at"
    )
    stays = Membership.objects.filter(segment__kind=Segment.Kind.DYNAMIC)
    moves = {("segment_entered", each.segment_id, each.customer_id, each.joined_at) for each in stays}
    moves |= {("segment_left", each.segment_id, each.customer_id, each.left_at) for each in stays if each.left_at}
    return set(told), moves
