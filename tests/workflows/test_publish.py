from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from segments.conditions.all_of import AllOf
from segments.conditions.customer_field import CustomerField
from tests import factories
from workflows import engine
from workflows.conditions import BoughtSince, GotMessage
from workflows.models import Edge, Enrolment, Revision
from workflows.nodes.award_points import AwardPoints
from workflows.nodes.if_ import If
from workflows.nodes.wait import Wait

from . import flows

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft():
    return flows.workflow().draft()


def refusals(draft, now):
    """The sentences with which publishing is refused, after which nothing has changed."""
    with pytest.raises(ValidationError) as refusal:
        draft.workflow.publish(now)
    draft.refresh_from_db()
    draft.workflow.refresh_from_db()
    assert (draft.status, draft.published_at, draft.workflow.status) == ("draft", None, "draft")
    return refusal.value.messages


def test_a_workflow_has_a_campaign_of_its_name(draft):
    flow = draft.workflow
    assert flow.campaign.name == flow.name
    flow.name = "Winback"
    flow.save()
    flow.campaign.refresh_from_db()
    assert flow.campaign.name == "Winback"


def test_publishing_makes_the_draft_live(now, draft, admin_user):
    flows.chain(flows.on_event(draft), flows.email(draft), flows.end(draft))

    live = draft.workflow.publish(now, admin_user)

    assert (live.pk, live.status, live.published_at, live.published_by) == (draft.pk, "live", now, admin_user)
    assert draft.workflow.status == "live"


def test_no_start(now, draft):
    flows.end(draft)
    assert refusals(draft, now) == ["The workflow has no start: add one. It must start in exactly one way."]


def test_two_starts(now, draft):
    finish = flows.end(draft)
    flows.chain(flows.on_event(draft), finish)
    flows.chain(flows.on_event(draft), finish)
    assert refusals(draft, now) == ["The workflow has 2 starts: keep one of them. It must start in exactly one way."]


def test_an_open_end(now, draft):
    flows.chain(flows.on_event(draft), flows.email(draft))
    assert refusals(draft, now) == [
        "“Send the e-mail “Hello”” has no step after “next”. Connect it to a step or an end."
    ]


def test_a_loop(now, draft):
    wait = Wait.objects.create(revision=draft, amount=1)
    mail = flows.email(draft)
    flows.chain(flows.on_event(draft), wait, mail, wait)
    assert refusals(draft, now) == ["“Wait 1 day” leads back to itself. Lead that way to a later step or to an end."]


def test_a_step_that_nothing_leads_to(now, draft):
    finish = flows.end(draft)
    flows.chain(flows.on_event(draft), finish)
    flows.chain(Wait.objects.create(revision=draft, amount=2), finish)
    assert refusals(draft, now) == ["Nothing leads to “Wait 2 days”. Connect it or delete it."]


def test_no_goal(now):
    draft = flows.workflow(goal="").draft()
    flows.chain(flows.on_event(draft), flows.end(draft))
    assert refusals(draft, now) == ["The workflow has no goal. Say in a sentence what it should achieve."]


def test_an_empty_email(now, draft):
    mail = flows.email(draft)
    type(mail.template).objects.update(html="")
    flows.chain(flows.on_event(draft), mail, flows.end(draft))
    assert refusals(draft, now) == [
        "“Send the e-mail “Hello”” sends “Hello”, which is empty. Write the e-mail and save it."
    ]


def points_branch(draft, told_on_no):
    gift = AwardPoints.objects.create(revision=draft, points=100)
    branch = If.objects.create(
        revision=draft, condition=CustomerField.objects.create(field="state", operator="is", value="MA")
    )
    mail, finish = flows.email(draft), flows.end(draft)
    flows.chain(flows.on_event(draft), gift, branch)
    branch.leads_to(mail, "yes")
    branch.leads_to(mail if told_on_no else finish, "no")
    flows.chain(mail, finish)


def test_points_without_a_message_on_one_way(now, draft):
    points_branch(draft, told_on_no=False)
    assert refusals(draft, now) == [
        "“Give 100 points ($5.00)” changes points, but not every way after it has a message. "
        "Add one that tells the customer."
    ]


def test_points_with_a_message_on_every_way(now, draft):
    points_branch(draft, told_on_no=True)
    assert draft.workflow.publish(now).status == "live"


def test_there_is_nothing_to_publish_without_a_draft(now, draft):
    flow = flows.live(now, flows.on_event(draft), flows.end(draft))
    with pytest.raises(ValidationError, match="no draft to publish"):
        flow.publish(now)


def test_a_live_revision_no_longer_changes(now, draft):
    trigger, mail, finish = flows.on_event(draft), flows.email(draft), flows.end(draft)
    flows.live(now, trigger, mail, finish)
    edge = Edge.objects.get(source=mail)
    attempts = (mail.save, mail.full_clean, mail.delete, edge.save, edge.delete, lambda: trigger.leads_to(finish))
    for attempt in (*attempts, lambda: flows.end(draft)):
        with pytest.raises(ValidationError, match="Revision 1 is live and no longer changes."):
            attempt()
    assert (draft.nodes.count(), Edge.objects.count()) == (3, 2)


def test_a_new_draft_is_a_copy_with_its_own_conditions(now, draft):
    trigger, mail, finish = flows.on_event(draft), flows.email(draft), flows.end(draft)
    root = AllOf.objects.create()
    GotMessage.objects.create(parent=root, step=mail)
    BoughtSince.objects.create(parent=root, step=trigger)
    branch = If.objects.create(revision=draft, condition=root, name="Reached and bought?")
    branch.leads_to(finish, "yes")
    branch.leads_to(flows.email(draft, "Reminder"), "no").leads_to(finish)
    flow = flows.live(now, trigger, mail, branch)

    copy = flow.draft()

    assert (copy.number, copy.status) == (2, "draft")
    assert [str(node) for node in copy.nodes.all()] == [str(node) for node in draft.nodes.all()]
    assert {
        (str(edge.source), edge.outlet, str(edge.target)) for edge in Edge.objects.filter(source__revision=copy)
    } == {(str(edge.source), edge.outlet, str(edge.target)) for edge in Edge.objects.filter(source__revision=draft)}
    new = copy.nodes.instance_of(If).get()
    got, bought = new.condition.parts()
    assert new.condition_id != root.pk
    assert got.step.revision == bought.step.revision == copy
    assert flow.draft() == copy
    assert flow.publish(now).number == 2


def test_people_stay_on_the_revision_they_entered(now, draft):
    wait = Wait.objects.create(revision=draft, amount=1)
    flow = flows.live(now, flows.on_event(draft), wait, flows.end(draft, "Old end"))
    (walk,) = flows.stand_at(wait, now, factories.customer())
    second = flow.draft()
    second_end = second.nodes.last()
    second_end.outcome = "New end"
    second_end.save()

    flow.publish(now + timedelta(hours=1))

    assert list(Revision.objects.order_by("number").values_list("status", flat=True)) == ["retired", "live"]
    engine.advance(now + timedelta(days=1))
    assert Enrolment.objects.get(pk=walk.pk).outcome == "Old end"


@pytest.mark.parametrize(
    ("before", "verb", "after", "is_done"),
    [
        ("live", "pause", "paused", True),
        ("finishing", "pause", "paused", True),
        ("draft", "pause", "draft", False),
        ("paused", "resume", "live", True),
        ("ended", "resume", "ended", False),
        ("live", "finish", "finishing", True),
        ("ended", "finish", "ended", False),
    ],
)
def test_what_staff_may_do_when(before, verb, after, is_done):
    flow = flows.workflow(status=before)
    assert getattr(flow, verb)() is is_done
    assert flow.status == after


@pytest.fixture
def asked(now, draft):
    """A question inside a group that a step of a live workflow asks."""
    group = AllOf.objects.create()
    question = CustomerField.objects.create(field="state", operator="is", value="MA", parent=group)
    branch, finish = If.objects.create(revision=draft, condition=group), flows.end(draft)
    branch.leads_to(finish, "yes")
    branch.leads_to(finish, "no")
    flows.live(now, flows.on_event(draft), branch)
    return CustomerField.objects.get(pk=question.pk)


def test_what_a_live_workflow_asks_no_longer_changes(asked):
    loose = CustomerField(field="state", operator="is", value="NY", parent=asked.parent)
    moved = CustomerField.objects.create(field="state", operator="is", value="NY", parent=AllOf.objects.create())
    moved.parent, asked.value = asked.parent, "NY"

    for change in (asked.save, asked.delete, asked.clean, asked.parent.save, loose.save, loose.clean, moved.save):
        with pytest.raises(ValidationError, match="Revision 1 is live and no longer changes."):
            change()

    assert [*CustomerField.objects.filter(parent=asked.parent).values_list("value", flat=True)] == ["MA"]


def test_what_a_draft_asks_may_change(asked):
    draft = Revision.objects.get().workflow.draft()
    copied = CustomerField.objects.get(parent=If.objects.get(revision=draft).condition)

    copied.value = "NY"
    copied.save()

    assert copied.parent.summary() == "live in New York"
    assert If.objects.get(revision__status="live").summary() == "If they live in Massachusetts"


def test_who_reached_the_goal_did_it_within_its_days_after_entering(now):
    draft = flows.workflow().draft()
    trigger = flows.on_event(draft)
    flows.live(now, trigger, end := flows.end(draft))
    workflow, ids = draft.workflow, []
    for days in (1, 30, 31, -1):
        who = factories.customer()
        moments = {"entered_at": now, "arrived_at": now, "due_at": now}
        made = Enrolment.objects.create(workflow=workflow, revision=draft, customer=who, node=end, **moments)
        factories.order(who, now + timedelta(days=days))
        ids.append(made.pk)

    reached = workflow.enrolments.that_reached("order_completed", 30)

    assert set(reached.values_list("pk", flat=True)) == set(ids[:2])
