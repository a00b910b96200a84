"""Conditions about a customer's own walk, each on all of its examples, and the events of walks."""

from datetime import timedelta

import pytest

from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Event
from messaging.models import Message
from segments import refresh
from segments.models import Segment
from tests import factories
from tests.segments.tree import met_by
from workflows import engine
from workflows.conditions import BoughtSince, GotMessage, InWorkflow, VisitedPageSince
from workflows.models import Enrolment, Revision, Step
from workflows.nodes.if_ import If
from workflows.nodes.wait import Wait

from . import flows

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
KINDS = [GotMessage, BoughtSince, VisitedPageSince]


@pytest.fixture
def draft():
    return Revision.objects.create(workflow=flows.workflow())


@pytest.fixture
def steps(draft):
    """The steps that the examples name; everybody comes to the wait last."""
    trigger, mail = flows.on_event(draft), flows.email(draft, "Send the offer")
    trigger.name = "Start"
    trigger.save()
    wait = Wait.objects.create(revision=draft, amount=1)
    flows.chain(trigger, mail, wait)
    return {"Start": trigger, "Send the offer": mail, "wait": wait}


def walk(who, steps, entered, now):
    """The customer entered then, and left the e-mail's step an hour later."""
    (made,) = flows.stand_at(steps["wait"], entered, who)
    for name, left in (("Start", entered), ("Send the offer", entered + HOUR)):
        Step.objects.create(enrolment=made, node=steps[name], arrived_at=left, left_at=left, outlet="next")
    flow = steps["wait"].revision.workflow
    Message.objects.create(
        campaign=flow.campaign,
        customer=who,
        template=steps["Send the offer"].template,
        channel="email",
        category="marketing",
        origin=steps["Send the offer"].origin,
        visit=made.pk,
        due_at=entered,
        status="sent" if who.first_name != "Unsent" else "blocked",
        sent_at=entered if who.first_name != "Unsent" else None,
    )
    return made


EXPECTED = {
    (GotMessage, 0): {"Early", "Between", "Late", "Never"},
    (BoughtSince, 0): {"Late"},
    (BoughtSince, 1): {"Early", "Between", "Never", "Unsent"},
    (BoughtSince, 2): {"Between", "Late"},
    (VisitedPageSince, 0): {"Late"},
    (VisitedPageSince, 1): {"Early", "Between", "Never", "Unsent"},
    (VisitedPageSince, 2): {"Between", "Late"},
}
EVERY_EXAMPLE = [(kind, number) for kind in KINDS for number in range(len(kind.examples))]


@pytest.mark.parametrize(("kind", "number"), EVERY_EXAMPLE)
def test_each_example(kind, number, steps, now):
    """What was before the step, between entering and the step, and after it; and nothing at all."""
    entered = now - 5 * HOUR
    acts = {"Early": -2 * HOUR, "Between": HOUR / 2, "Late": 2 * HOUR, "Never": None, "Unsent": None}
    for name, after in {**acts, "Outside": 2 * HOUR}.items():
        who = factories.customer(first_name=name)
        if name != "Outside":
            walk(who, steps, entered, now)
        if after is not None:
            factories.order(who, entered + after)
            for url in ("https://shop.example.com/offers/1/", "https://shop.example.com/checkout?a=b"):
                happened("page_visited", who.pk, entered + after, f"{name}{url}", url=url)
    example = {**kind.examples[number], "step": steps[kind.examples[number]["step"]]}
    condition = kind(**example)
    condition.full_clean(exclude=["condition_ptr"])

    assert met_by(condition, now) == EXPECTED[kind, number]
    assert condition.flips(now) is None
    for who in (each.customer for each in Enrolment.objects.select_related("customer")):
        assert condition.explain(who, now).holds is (who.first_name in EXPECTED[kind, number])
        assert condition.seen(who, now)


def test_a_visit_before_entering_does_not_count_since_entering(steps, now):
    who = factories.customer()
    walk(who, steps, now - HOUR, now)
    asks = VisitedPageSince(step=steps["Start"], pattern="/offers/*")
    happened("page_visited", who.pk, now - 2 * HOUR, "before", url="/offers/1")
    assert not met_by(asks, now)

    happened("page_visited", who.pk, now, "after", url="/offers/1")

    assert met_by(asks, now)
    assert asks.summary() == "visited the page “/offers/*” since entering"
    assert not met_by(asks, now - timedelta(minutes=1))


def test_a_copied_revision_asks_for_the_copied_step(steps, now, draft):
    branch = If.objects.create(
        revision=draft, condition=VisitedPageSince.objects.create(step=steps["Send the offer"], pattern="/offers/*")
    )
    flows.chain(steps["wait"], branch, flows.end(draft))
    branch.leads_to(flows.end(draft), "no")
    draft.workflow.publish(now)

    copy = draft.workflow.draft()

    asked = If.objects.get(revision=copy).condition
    assert asked.step_id != steps["Send the offer"].pk
    assert asked.step.revision == copy
    assert asked.pattern == "/offers/*"


@pytest.mark.django_db(transaction=True)
def test_entering_and_both_ways_of_leaving_are_events(now, draft):
    wait = Wait.objects.create(revision=draft, amount=1)
    flow = flows.live(now, flows.on_event(draft), wait, flows.end(draft, "Done"))
    one, other = factories.customer(), factories.customer()
    for who in (one, other):
        flows.join(who, now)
    engine.enrol(now)
    later = now + timedelta(days=2)
    Enrolment.objects.filter(customer=other).leave("Left the segment", later)

    engine.advance(later)

    of = {"workflow": flow.pk}
    assert told("workflow_entered") == [(one.pk, now, of), (other.pk, now, of)]
    assert told("workflow_left") == [
        (other.pk, later, of | {"finished": False, "outcome": "Left the segment"}),
        (one.pk, later, of | {"finished": True, "outcome": "Done"}),
    ]
    assert Enrolment.objects.leave("Again", later) == 0
    assert Event.objects.named("workflow_left").count() == 2


def told(name):
    return list(Event.objects.named(name).order_by("pk").values_list("customer", "occurred_at", "properties"))


@pytest.mark.django_db(transaction=True)
def test_a_segment_of_those_in_a_workflow_follows_it_and_comes_to_rest(now, draft):
    """Also if the workflow starts with the very segment that asks who is not in it."""
    outside = Segment.objects.create(name="Outside", is_active=True)
    trigger = flows.on_segment(draft, outside)
    flow = flows.live(now, trigger, Wait.objects.create(revision=draft, amount=1), flows.end(draft))
    outside.root = InWorkflow.objects.create(workflow=flow, operator="never_entered")
    outside.save(update_fields=["root"])
    refresh.refresh(now)
    who = factories.customer()
    happened("customer_updated", who.pk, now + HOUR, "arrives")
    moves = []
    for minute in range(6):
        moment = now + HOUR + timedelta(minutes=minute)
        counts = refresh.refresh(moment)
        moves.append((counts["entered"], counts["left"], engine.enrol(moment)["entered"]))
        missing, extra = outside.astray(moment)
        assert not extra.exists() or moves[-1][2]  # who has just entered the workflow leaves with the next refresh

    assert moves == [(1, 0, 1), (0, 1, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)]
    assert not any(each.exists() for each in outside.astray(moment))


def test_reaching_the_goal_of_another_workflow_or_without_one(now):
    aimless = flows.workflow(name="Aimless", goal_event="")
    condition = InWorkflow(workflow=aimless, operator="reached_goal")

    with pytest.raises(Exception, match="“Aimless” has no event that counts as its goal"):
        condition.full_clean(exclude=["condition_ptr"])

    aimless.goal_event = "order_completed"
    first = condition.wording()
    aimless.goal_days = 7
    assert condition.wording() != first
