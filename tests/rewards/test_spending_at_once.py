"""Many processes that spend the same points at the same moment."""

from collections import Counter

import pytest
from django.utils import timezone

from rewards import ledger
from rewards.models import Entry
from tests import factories
from tests.side_by_side import processes

from .points import give, holds

pytestmark = pytest.mark.django_db(transaction=True)
PROCESSES = 20


@pytest.fixture
def now():
    """The moment of the processes' own clocks."""
    return timezone.now()


@pytest.fixture
def spenders():
    with processes("tests.rewards.spender") as at_once:
        yield at_once


def at_once(spenders, *jobs):
    """How often which points were spent or refused; none of the processes failed."""
    return Counter((what, points) for answer in spenders(jobs) for what, points in answer)


def test_of_two_spends_of_80_from_100_one_is_refused(now, spenders):
    who = factories.customer()
    for round_ in range(10):
        give(who, 100 - (20 if round_ else 0), f"gift:{round_}", now)
        jobs = [[{"customer": who.pk, "points": 80, "key": f"{round_}:{number}"}] for number in range(2)]
        assert at_once(spenders, *jobs) == {("spent", 80): 1, ("refused", 80): 1}
        assert holds(who) == (20, 0)


def test_twenty_processes_spend_from_one_balance(now, spenders):
    """Never below zero, and the sum exact."""
    who = factories.customer()
    for number in range(7):
        give(who, 100, f"gift:{number}", now)
    jobs = [
        [{"customer": who.pk, "points": 7 + number % 3, "key": f"{process}:{number}"} for number in range(8)]
        for process in range(PROCESSES)
    ]

    done = at_once(spenders, *jobs)

    spent = sum(points * times for (what, points), times in done.items() if what == "spent")
    assert sum(done.values()) == PROCESSES * 8
    assert 700 - 9 < spent <= 700
    assert holds(who) == (700 - spent, 0)
    entries = Entry.objects.filter(kind=Entry.Kind.REDEEM)
    assert -sum(entries.values_list("points", flat=True)) == spent


def test_the_same_key_at_the_same_moment_spends_once(now, spenders):
    who = factories.customer()
    give(who, 1_000, "gift", now)
    jobs = [[{"customer": who.pk, "points": 10, "key": "till:1"}]] * PROCESSES
    assert at_once(spenders, *jobs) == {("spent", 10): PROCESSES}
    assert holds(who) == (990, 0)


def test_points_that_go_in_a_circle_stop_nobody(now, spenders):
    """Each waits for none that waits for it: accounts are taken in the customers' order."""
    people = [factories.customer() for _ in range(3)]
    for who in people:
        give(who, 300, f"gift:{who.pk}", now)
    jobs = [
        [
            {
                "customer": people[(process + number) % 3].pk,
                "to": people[(process + number + 1 + process % 2) % 3].pk,
                "points": 5,
                "key": f"{process}:{number}",
            }
            for number in range(6)
        ]
        for process in range(PROCESSES)
    ]
    done = at_once(spenders, *jobs)
    assert done["spent", 5] + done["refused", 5] == PROCESSES * 6
    assert sum(holds(who)[0] for who in people) == 900
    assert ledger.verify() == []
