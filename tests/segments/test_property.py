"""Whatever happens in whatever order, the refreshed members are those of a full evaluation.

One example is a tree of random conditions over a random history, asked at some seventy ticks in sixty days that cross a
change of the clock. A history serves several trees at once, which may ask for each other's members. Some examples run
each time; `pytest tests/segments/test_property.py --hypothesis-profile=thorough` runs 500.
"""

from collections import Counter
from datetime import UTC, datetime
from random import Random

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from loyaltyflow.store.models import Event
from segments import refresh
from segments.exchange import dumped
from segments.models import Membership, Recheck, Segment

from . import histories, plain
from .moments import MOMENT, walk
from .population import Facts, found, happen, judged, known, next_event, populate
from .trees import Plain, forests, name_of, planted

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE, TREES = 4, 5
seeds = st.integers(0, 2**32 - 1)


def wipe() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE store_customer, store_feedreader, segments_segment, segments_condition CASCADE")


def plant(forest: list[Plain]) -> list[Segment]:
    """A live segment of each tree, built with the next refresh; with its conditions at hand."""
    for number, tree in enumerate(forest):
        Segment.objects.create(name=name_of(number), root=planted(tree), is_active=True)
    return Segment.objects.live().with_trees()


def leaves_of(segments: list[Segment]) -> list:
    return [leaf for each in segments for leaf in each.root.walk() if not leaf.takes_parts]


@given(forest=forests(TREES), seed=seeds)
def test_a_refresh_equals_a_full_evaluation(forest, seed):
    chance = Random(seed)
    wipe()
    histories.furnish()
    segments, ticks = plant(forest), walk(chance)
    asked = leaves_of(segments) or [planted({"customer_field": {"value": "MA"}})]
    with transaction.atomic():
        people = populate(chance, PEOPLE, ticks[0], *asked)
    for before, now in zip([ticks[0], *ticks], ticks, strict=False):
        with transaction.atomic():
            for moment in sorted(between(chance, before, now) for _ in range(chance.choice([0, 0, 1, 1, 2, 4]))):
                happen(chance, chance.choice(people), moment, asked)
        refresh.refresh(now)
        facts = known()
        judge(segments, facts, now)
        nothing_changes_unseen(chance, segments, facts, now)
    events_tell_each_move(ticks[0])


def between(chance: Random, before: datetime, now: datetime) -> datetime:
    """When the shop learns of something: after the last tick, up to this one."""
    span = now.astimezone(UTC) - before.astimezone(UTC)
    return (now.astimezone(UTC) - span * chance.choice([0, chance.random()])).astimezone(now.tzinfo)


def judge(segments: list[Segment], facts: dict[int, Facts], now: datetime) -> None:
    """The members are those of a full evaluation, in SQL and in plain Python."""
    counted = dict(Segment.objects.values_list("pk", "members_now"))
    for each in segments:
        members = {pk for pk, of_one in facts.items() if is_in(of_one, each)}
        whole, expected = found(each.root.q(now)), judged(each.root, facts, now)
        where = (each.name, str(now), dumped(each.root))
        assert (*where, "members", members - whole, whole - members) == (*where, "members", set(), set())
        assert (*where, "plain", whole - expected, expected - whole) == (*where, "plain", set(), set())
        assert counted[each.pk] == len(members)


def is_in(facts: Facts, segment: Segment) -> bool:
    return any(stay["segment_id"] == segment.pk and stay["left_at"] is None for stay in facts["stays"])


def nothing_changes_unseen(chance: Random, segments: list[Segment], facts: dict[int, Facts], now: datetime) -> None:
    """Up to the recheck, or to the customer's next event, each answer stays as it is."""
    due = {(each.segment_id, each.customer_id): each.due_at for each in Recheck.objects.all()}
    for each in segments:
        pk = chance.choice(sorted(facts))
        ends = [at for at in (due.get((each.pk, pk)), next_event(facts[pk], now)) if at]
        until = min(ends) - MOMENT if ends else now.astimezone(UTC) + chance.choice(histories.SPANS)
        if until > now:
            later = plain.holds(each.root, facts[pk], until.astimezone(now.tzinfo))
            where = (each.name, str(now), dumped(each.root), "until", str(until))
            assert (*where, later) == (*where, is_in(facts[pk], each))


def events_tell_each_move(built: datetime) -> None:
    """One event for each entry and each leaving, at its time; none for those who were in from the start."""
    told = Event.objects.filter(source=refresh.FOLLOWED).values_list(
        "name", "properties__segment", "customer_id", "occurred_at"
    )
    moves: Counter = Counter()
    for stay in Membership.objects.filter(segment__kind=Segment.Kind.DYNAMIC):
        if stay.joined_at != built:
            moves["segment_entered", stay.segment_id, stay.customer_id, stay.joined_at] += 1
        if stay.left_at:
            moves["segment_left", stay.segment_id, stay.customer_id, stay.left_at] += 1
    assert Counter(told) == moves
