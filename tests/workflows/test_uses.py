"""Which workflows and segments name a segment, and what that keeps staff from."""

import pytest
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError

from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.conditions.in_segment import InSegment
from segments.editing import drafts
from segments.models import Segment, Use
from tests import factories
from tests.segments.tree import grow, segment
from workflows.enrolments import Enrolment
from workflows.graph import Workflow
from workflows.nodes.if_ import If

from . import flows

pytestmark = pytest.mark.django_db


@pytest.fixture
def vips() -> Segment:
    return segment(grow(AllOf), "VIPs")


def named(of: Segment) -> list[tuple]:
    return [
        (use.kind, use.name, use.is_live, use.starts_on_entry, use.drops_on_leave, use.is_past) for use in of.used_by()
    ]


def started(of: Segment, now, **fields) -> Workflow:
    draft = flows.workflow(name="Welcome").draft()
    return flows.live(now, flows.on_segment(draft, of, **fields), flows.email(draft), flows.end(draft))


@pytest.mark.parametrize("exit_on_leave", [False, True])
def test_a_live_workflow_starts_with_those_who_enter(exit_on_leave, vips, now):
    flow = started(vips, now, exit_on_leave=exit_on_leave)

    assert vips.used_by() == [
        Use("workflow", "Welcome", f"/workflows/workflow/{flow.pk}/change/", True, True, exit_on_leave)
    ]


STATES = [
    ("paused", lambda flow: flow.pause(), (True, False, True, False)),
    ("finishing", lambda flow: flow.finish(), (True, False, True, False)),
    ("ended", lambda flow: Workflow.objects.filter(pk=flow.pk).update(status="ended"), (False, False, False, True)),
]


@pytest.mark.parametrize(("_case", "become", "expected"), STATES, ids=[each[0] for each in STATES])
def test_a_workflow_that_takes_nobody_new_starts_with_nobody(_case, become, expected, vips, now):
    become(started(vips, now))

    assert named(vips) == [("workflow", "Welcome", *expected)]


def test_a_workflow_that_asks_in_a_step_uses_it(vips, now):
    draft = flows.workflow(name="Welcome").draft()
    asks = If.objects.create(revision=draft, condition=grow(AllOf, InSegment.objects.create(other=vips)))
    assert named(vips) == [("workflow", "Welcome", False, False, False, False)]

    start, end = flows.on_event(draft), flows.end(draft)
    flows.chain(start, flows.email(draft), asks)
    asks.leads_to(end, "yes")
    asks.leads_to(end, "no")
    draft.workflow.publish(now)

    assert named(vips) == [("workflow", "Welcome", True, False, False, False)]


def test_an_edition_that_nobody_walks_through_is_past_but_one_with_somebody_in_it_is_live(vips, now):
    flow = started(vips, now)
    first = flow.live
    other = segment(grow(AllOf), "Others")
    draft = flow.draft()
    for step in draft.nodes.all():
        if step.is_trigger:
            step.segment = other
            step.save()
    flow.publish(now)

    assert named(vips) == [("workflow", "Welcome", False, False, False, True)]

    node = next(each for each in first.steps().values() if not each.is_trigger)
    Enrolment.objects.create(
        workflow=flow,
        revision=first,
        customer=factories.customer(),
        node=node,
        entered_at=now,
        arrived_at=now,
        due_at=now,
    )

    assert named(vips) == [("workflow", "Welcome", True, False, True, False)]


def test_segments_that_ask_for_it_and_their_drafts_use_it(vips, now):
    segment(grow(AllOf, InSegment.objects.create(other=vips)), "Asks")
    soon = segment(grow(AllOf), "Will ask")
    drafts.add(soon, 0, InSegment(other=vips), None, now)

    assert [(use.kind, use.name, use.is_live) for use in vips.used_by()] == [
        ("segment", "Asks", True),
        ("segment", "Will ask", False),
    ]


def test_what_is_used_is_neither_archived_nor_deleted(vips, now):
    asking = segment(grow(AllOf, InSegment.objects.create(other=vips)), "Asks")

    with pytest.raises(ValidationError, match="“VIPs” is used by segment “Asks”. Detach it there first."):
        vips.archive(now)
    with pytest.raises(ProtectedError):
        vips.delete()

    vips.refresh_from_db()
    assert (vips.archived_at, vips.is_active) == (None, True)

    asking.delete()

    assert vips.archive(now) and not vips.archive(now)
    assert (vips.archived_at, vips.is_active, vips.used_by()) == (now, False, [])
    assert list(Segment.objects.shown()) == []
    assert vips.bring_back() and not vips.bring_back()
    assert list(Segment.objects.shown()) == [vips]


def test_what_only_a_past_edition_names_is_archived_but_not_deleted(vips, now):
    Workflow.objects.filter(pk=started(vips, now).pk).update(status="ended")

    assert vips.archive(now)
    with pytest.raises(ProtectedError):
        vips.delete()


@pytest.mark.parametrize("at_once", [False, True])
def test_a_deleted_segment_leaves_no_conditions_behind(at_once, vips, now):
    asking = segment(grow(AllOf, InSegment.objects.create(other=vips)), "Asks")
    drafts.add(asking, 0, InSegment(other=vips), None, now)

    if at_once:
        Segment.objects.filter(pk=asking.pk).delete()
    else:
        asking.delete()

    assert list(Condition.objects.values_list("pk", flat=True)) == [vips.root_id]
    assert list(Segment.objects.all()) == [vips]


def test_not_all_segments_are_deleted_by_a_word():
    assert not hasattr(Segment.objects, "delete")
