"""Whatever happens in whatever order, the refreshed members are those of a full evaluation.

One example is a tree of random conditions over a random history, asked at some seventy ticks in sixty days that cross a
change of the clock. A history serves several trees at once, which may ask for each other's members. Some examples run
each time; `pytest tests/segments/test_property.py --hypothesis-profile=thorough` runs 500.
"""

from collections import Counter
from datetime import UTC, datetime
from random import Random

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from loyaltyflow.store.models import Event
from segments import refresh
from segments.exchange.trees import dumped
from segments.models import Membership, Recheck, Segment

from . import histories, plain
from .agreement import astray, between, is_in, leaves_of, plant, wipe
from .moments import MOMENT, walk
from .population import Facts, happen, known, next_event, populate
from .trees import forests

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE, TREES = 4, 5
Move = tuple[str, int, int, datetime]
seeds = st.integers(0, 2**32 - 1)


@given(forest=forests(TREES), seed=seeds)
def test_a_refresh_equals_a_full_evaluation(forest, seed):
    chance = Random(seed)
    wipe()
    histories.furnish()
    segments, ticks = plant(forest), walk(chance)
    asked = leaves_of(segments)
    with transaction.atomic():
        people = populate(chance, PEOPLE, ticks[0], *asked)
    for before, now in zip([ticks[0], *ticks], ticks, strict=False):
        with transaction.atomic():
            for moment in sorted(between(chance, before, now) for _ in range(chance.choice([0, 0, 1, 1, 2, 4]))):
                happen(chance, chance.choice(people), moment, asked)
        refresh.refresh(now)
        facts = known()
        assert astray(segments, facts, now) == []
        assert changed_unseen(chance, segments, facts, now) == []
    assert told() == moved_since(ticks[0])


def changed_unseen(
    chance: Random, segments: list[Segment], facts: dict[int, Facts], now: datetime
) -> list[tuple[object, ...]]:
    """Answers that change before the recheck and before the customer's next event, looked for at random."""
    due = {(each.segment_id, each.customer_id): each.due_at for each in Recheck.objects.all()}
    wrong = list[tuple[object, ...]]()
    for each in segments:
        pk = chance.choice(sorted(facts))
        ends = [at for at in (due.get((each.pk, pk)), next_event(facts[pk], now)) if at]
        until = min(ends) - MOMENT if ends else now.astimezone(UTC) + chance.choice(histories.SPANS)
        if until > now and plain.holds(each.root, facts[pk], until.astimezone(now.tzinfo)) != is_in(facts[pk], each):
            wrong.append((each.name, str(now), dumped(each.root), "until", str(until)))
    return wrong


def told() -> Counter[Move]:
    """The entries and leavings that events tell of."""
    said = Event.objects.filter(source=refresh.FOLLOWED)
    return Counter(said.values_list("name", "properties__segment", "customer_id", "occurred_at"))


def moved_since(built: datetime) -> Counter[Move]:
    """Each entry and each leaving at its time; who was in from the start did not enter."""
    moves: Counter[Move] = Counter()
    for stay in Membership.objects.filter(segment__kind=Segment.Kind.DYNAMIC):
        if stay.joined_at != built:
            moves["segment_entered", stay.segment_id, stay.customer_id, stay.joined_at] += 1
        if stay.left_at:
            moves["segment_left", stay.segment_id, stay.customer_id, stay.left_at] += 1
    return moves
