"""What a condition costs the database does not depend on how many customers there are, or on how many it moves."""

from datetime import datetime, timedelta
from random import Random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Customer, Event
from segments import refresh
from segments.conditions import Condition
from segments.models import Segment

from . import histories
from .histories.basics import people
from .population import condition, found, taken_back
from .trees import KINDS

FEW, MANY = 3, 60


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type_name())
def test_asking_and_explaining_take_as_many_for_60_customers_as_for_3(kind, now):
    histories.furnish()
    asked = [condition(kind, example) for example in kind.examples]
    counts = {}
    for size in (FEW, MANY):
        with taken_back():
            who = arrive(size, now)[0]
            counts[size] = [(asking(one, now), explaining(one, who, now)) for one in asked]

    assert counts[FEW] == counts[MANY]
    assert {asks for asks, _explains in counts[MANY]} <= {1, 2}  # the customers, and perhaps the store's settings


def asking(one: Condition, now: datetime) -> int:
    with CaptureQueriesContext(connection) as captured:
        found(one.q(now))
    return len(captured)


def explaining(one: Condition, who: Customer, now: datetime) -> int:
    with CaptureQueriesContext(connection) as captured:
        one.explain(who, now)
    return len(captured)


@pytest.mark.django_db(transaction=True)
def test_a_refresh_of_all_types_takes_as_many_for_60_customers_as_for_3(now):
    histories.furnish()
    for kind in KINDS:
        root = condition(kind, kind.examples[0]).copy()
        Segment.objects.create(name=f"Asks {kind.__name__}", root=root, is_active=True)
    refresh.refresh(now)
    counts = {}
    for minute, size in enumerate([FEW, MANY], 1):
        at = now + timedelta(minutes=minute)
        arrive(size, at)
        with CaptureQueriesContext(connection) as captured:
            refresh.refresh(at)
        counts[size] = len([each for each in captured if 'UPDATE "segments_segment"' not in each["sql"]])

    assert counts[FEW] == counts[MANY]


def arrive(count: int, at: datetime) -> list[Customer]:
    """New customers, each with an event, so that a refresh judges them."""
    made = people(Random(count), count, at)
    Event.objects.bulk_create(
        Event(name="contact_added", customer=who, occurred_at=at, key=f"contact_added:{who.pk}") for who in made
    )
    return made
