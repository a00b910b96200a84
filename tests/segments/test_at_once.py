"""A refresh, people who put customers in by hand and people who publish work at the same time, each on their own."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from threading import Barrier, Thread

import pytest
from django.db import connection

from loyaltyflow.store.models import Customer, Event
from segments import by_hand, refresh
from segments.conditions.all_of import AllOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.in_segment import InSegment
from segments.conditions.made_purchase import MadePurchase
from segments.editing import drafts, publishing
from segments.models import Membership, Segment
from tests import factories

from .agreement import astray
from .population import known
from .tree import grow, segment

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE, ROUNDS = 30, 12


def at_once(*jobs: Callable[[], None]) -> None:
    """Run the jobs side by side, each on a connection of its own; whatever goes wrong in one fails the test."""
    start, faults = Barrier(len(jobs)), []

    def run(job: Callable[[], None]) -> None:
        try:
            start.wait(30)
            job()
        except Exception as fault:  # noqa: BLE001 - it is raised again in the test's own thread
            faults.append(fault)
        finally:
            connection.close()

    threads = [Thread(target=run, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "they wait for each other for ever"
    if faults:
        raise faults[0]


@pytest.fixture
def guests() -> Segment:
    return Segment.objects.create(name="Guests", kind=Segment.Kind.STATIC, is_active=True)


@pytest.fixture
def live(guests: Segment) -> list[Segment]:
    """Who bought; who is from MA; who is a guest of the shop; and who is a guest and bought."""
    bought = segment(grow(AllOf, MadePurchase.objects.create(window_days=1)), "Buyers")
    segment(grow(AllOf, CustomerField.objects.create(value="MA")), "Locals")
    invited = segment(grow(AllOf, InSegment.objects.create(other=guests)), "Invited")
    both = [InSegment.objects.create(other=bought), InSegment.objects.create(other=invited)]
    segment(grow(AllOf, *both), "Invited buyers")
    return Segment.objects.live().with_trees()


def test_nothing_is_lost_or_counted_twice(live, guests, now: datetime):
    people = [factories.customer(state="MA" if number % 2 else "NH") for number in range(PEOPLE)]
    everybody = Customer.objects.all()
    refresh.refresh(now)

    def minute(number: int) -> datetime:
        return now + timedelta(minutes=number)

    def tick() -> None:
        for number in range(1, ROUNDS + 1):
            refresh.refresh(minute(number))

    def buy() -> None:
        chance = Random(1)
        for number in range(3 * ROUNDS):
            factories.order(chance.choice(people), now + timedelta(seconds=20 * number))

    def invite() -> None:
        for number in range(ROUNDS):
            some = everybody.filter(pk__any=[each.pk for each in people[number::3]])
            by_hand.put_in(guests, some, minute(1 + number))
            by_hand.take_out(guests, everybody.filter(pk=people[number].pk), minute(1 + number))

    def publish() -> None:
        locals_ = Segment.objects.get(name="Locals")
        for number in range(ROUNDS):
            at = minute(1 + number)
            drafts.add(locals_, 0, CustomerField(value="NH" if number % 3 else "MA"), None, at)
            publishing.publish(locals_, at, None, drafts.digest(locals_.draft), start_workflows=True)

    at_once(tick, tick, buy, invite, publish)
    end = minute(ROUNDS + 5)
    refresh.refresh(end)

    assert_right(now, end)


def assert_right(began: datetime, now: datetime) -> None:
    assert astray(Segment.objects.live().with_trees(), known(), now) == []
    for each in Segment.objects.all():
        assert each.members_now == each.memberships.open().count(), each.name
    told = Event.objects.filter(name__in=["segment_entered", "segment_left"]).values_list("name", flat=True)
    stays = Membership.objects.exclude(joined_at=began)
    left = Membership.objects.exclude(left_at=None)
    assert Counter(told) == {"segment_entered": stays.count(), "segment_left": left.count()}
