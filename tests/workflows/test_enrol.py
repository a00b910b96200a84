from datetime import timedelta

import pytest

from loyaltyflow.store.models import Event
from segments.models import Segment
from tests import factories
from workflows import engine
from workflows.models import Enrolment, Step
from workflows.nodes.wait import Wait

from . import flows

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


def waiting(now, trigger=None, **fields):
    """A live workflow: start, wait 1,000 hours, end."""
    draft = flows.workflow(**fields).draft()
    trigger = trigger(draft) if trigger else flows.on_event(draft)
    return flows.live(now, trigger, Wait.objects.create(revision=draft, amount=1000, unit="hours"), flows.end(draft))


def on_segment(segment, **fields):
    return lambda draft: flows.on_segment(draft, segment, **fields)


@pytest.fixture
def segment():
    return Segment.objects.create(name="Gone for 21 days", kind=Segment.Kind.STATIC)


def test_a_new_event_enters_its_customer_at_the_first_step(now):
    who, flow = factories.customer(), waiting(now - DAY)
    flows.join(who, now)

    assert engine.enrol(now) == {"exited": 0, "entered": 1}

    enrolment = Enrolment.objects.get()
    assert (enrolment.customer, enrolment.workflow, enrolment.revision) == (who, flow, flow.live)
    assert (enrolment.entered_at, enrolment.arrived_at) == (now, now)
    assert enrolment.due_at == now + timedelta(hours=1000)
    assert enrolment.entry_event == Event.objects.named("loyalty_joined").get()
    told = Event.objects.named("workflow_entered").get()
    assert (told.customer, told.occurred_at, told.properties) == (who, now, {"workflow": flow.pk})
    assert str(enrolment.node) == "Wait 1,000 hours"
    step = Step.objects.get()
    assert (step.node, step.outlet, step.left_at) == (flow.live.nodes.first(), "next", now)


def test_what_happened_before_it_went_live_enters_nobody(now):
    waiting(now)
    flows.join(factories.customer(), now - timedelta(seconds=1))

    assert engine.enrol(now) == {"exited": 0, "entered": 0}


def test_two_events_of_a_customer_enter_once(now):
    who = factories.customer()
    waiting(now - DAY, reentry="every_time")
    flows.join(who, now - timedelta(hours=2))
    flows.join(who, now - timedelta(hours=1))

    assert engine.enrol(now)["entered"] == 1
    assert Enrolment.objects.get().entry_event.occurred_at == now - timedelta(hours=2)


def test_the_same_moment_twice_changes_nothing(now):
    waiting(now - DAY, reentry="every_time")
    flows.join(factories.customer(), now)
    engine.enrol(now)
    before = list(Enrolment.objects.values())

    assert engine.enrol(now) == {"exited": 0, "entered": 0}
    assert list(Enrolment.objects.values()) == before


@pytest.mark.parametrize(
    ("_case", "fields", "first_is_over", "enters_again"),
    [
        ("once ever, and it is over", {"reentry": "once"}, True, False),
        ("every time, but still in it", {"reentry": "every_time"}, False, False),
        ("every time, and it is over", {"reentry": "every_time"}, True, True),
        ("after 3 days, entered 3 days ago", {"reentry": "after_days", "reentry_days": 3}, True, True),
        ("after 4 days, entered 3 days ago", {"reentry": "after_days", "reentry_days": 4}, True, False),
        ("after 3 days, but still in it", {"reentry": "after_days", "reentry_days": 3}, False, False),
    ],
)
def test_entering_again(now, _case, fields, first_is_over, enters_again):
    who = factories.customer()
    waiting(now - 9 * DAY, **fields)
    flows.join(who, now - 3 * DAY)
    engine.enrol(now - 3 * DAY)
    if first_is_over:
        Enrolment.objects.complete("Done", now - 2 * DAY)
    flows.join(who, now)

    assert engine.enrol(now)["entered"] == int(enters_again)
    assert Enrolment.objects.count() == 1 + int(enters_again)


@pytest.mark.parametrize("verb", ["pause", "finish"])
def test_a_workflow_that_is_paused_or_finishing_takes_nobody(now, verb):
    flow = waiting(now - DAY)
    flows.stand_at(flow.live.nodes.last(), now, factories.customer())
    assert getattr(flow, verb)()
    flows.join(factories.customer(), now)

    assert engine.enrol(now)["entered"] == 0


def test_entering_a_segment_enters_the_workflow_and_leaving_it_ends_it(now, segment):
    who, other = factories.customer(), factories.customer()
    waiting(now - 9 * DAY, on_segment(segment))
    for each in (who, other):
        flows.enter(each, segment, now - DAY)
    assert engine.enrol(now - DAY)["entered"] == 2
    flows.leave(who, segment, now)

    assert engine.enrol(now) == {"exited": 1, "entered": 0}

    gone, inside = who.enrolments.get(), other.enrolments.get()
    assert (gone.status, gone.outcome, gone.ended_at) == ("exited", "Left the segment", now)
    assert (inside.status, inside.ended_at) == ("active", None)


def test_leaving_the_segment_may_be_none_of_the_workflows_business(now, segment):
    who = factories.customer()
    waiting(now - 9 * DAY, on_segment(segment, exit_on_leave=False))
    flows.enter(who, segment, now - DAY)
    engine.enrol(now - DAY)
    flows.leave(who, segment, now)

    assert engine.enrol(now) == {"exited": 0, "entered": 0}
    assert who.enrolments.get().status == "active"


def test_another_segment_is_none_of_its_business(now, segment):
    who = factories.customer()
    waiting(now - 9 * DAY, on_segment(segment))
    flows.enter(who, Segment.objects.create(name="Other", kind=Segment.Kind.STATIC), now)

    assert engine.enrol(now)["entered"] == 0


def test_in_and_out_between_two_ticks_does_not_enter(now, segment):
    who = factories.customer()
    waiting(now - 9 * DAY, on_segment(segment))
    flows.enter(who, segment, now - DAY)
    flows.leave(who, segment, now - timedelta(hours=1))

    assert engine.enrol(now)["entered"] == 0


def test_people_on_a_retired_revision_still_leave_with_the_segment(now, segment):
    who = factories.customer()
    flow = waiting(now - 9 * DAY, on_segment(segment))
    flows.enter(who, segment, now - DAY)
    engine.enrol(now - DAY)
    flow.draft()
    flow.publish(now - timedelta(hours=1))
    flows.leave(who, segment, now)

    assert engine.enrol(now) == {"exited": 1, "entered": 0}
