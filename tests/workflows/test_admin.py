from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from segments.conditions.customer_field import CustomerField
from segments.exchange.trees import dumped
from segments.models import Segment
from tests import factories
from workflows import engine
from workflows.models import Edge, Enrolment, Workflow
from workflows.nodes.if_ import If
from workflows.nodes.wait import Wait

from . import flows

pytestmark = pytest.mark.django_db


@pytest.fixture
def branched(now):
    """A live workflow with two ways; one customer waits, one has come to an end."""
    draft = flows.workflow(name="Winback").draft()
    segment = Segment.objects.create(name="Gone for 21 days", kind=Segment.Kind.STATIC)
    condition = CustomerField.objects.create(field="state", operator="is", value="MA")
    branch, mail = If.objects.create(revision=draft, condition=condition), flows.email(draft)
    wait, finish = Wait.objects.create(revision=draft, amount=1), flows.end(draft, "Done")
    branch.leads_to(wait, "yes").leads_to(mail).leads_to(finish)
    branch.leads_to(mail, "no")
    flows.live(now, flows.on_segment(draft, segment, exit_on_leave=False), branch)
    flows.stand_at(branch, now, factories.customer(state="MA"), factories.customer(state="NY"))
    engine.advance(now)
    return Workflow.objects.get(name="Winback")


def page(client, name, *args):
    answer = client.get(reverse(f"admin:{name}", args=args))
    assert answer.status_code == 200
    return answer.content.decode()


def press(client, workflow, button):
    """The page after pressing a button below the workflow's form."""
    fields = ("name", "goal", "goal_event", "goal_days", "reentry")
    form = {field: getattr(workflow, field) for field in fields} | {f"workflows_workflow_{button}": "1"}
    address = reverse("admin:workflows_workflow_change", args=[workflow.pk])
    answer = client.post(address, form | {"_continue": "1"}, follow=True)
    workflow.refresh_from_db()
    return answer.content.decode()


def test_the_list_says_state_start_and_counts_with_constant_queries(admin_client, branched, now):
    text = page(admin_client, "workflows_workflow_changelist")
    for words in ("Winback", "Live", "When someone enters the segment “Gone for 21 days”"):
        assert words in text

    def queries():
        with CaptureQueriesContext(connection) as captured:
            page(admin_client, "workflows_workflow_changelist")
        return len(captured)

    few = queries()
    for number in range(5):
        draft = flows.workflow().draft()
        other = Segment.objects.create(name=f"Segment {number}", kind=Segment.Kind.STATIC)
        flows.live(now, flows.on_segment(draft, other), flows.end(draft))
    assert queries() == few


def test_the_page_shows_the_steps_with_their_ways_and_counts(admin_client, branched):
    text = page(admin_client, "workflows_workflow_change", branched.pk)
    for node in branched.live.nodes.all():
        assert str(node).replace("'", "&#x27;") in text
    for words in ("Yes:", "No:", "Wait 1 day", "goes on at “Send the e-mail “Hello””", "End: Done"):
        assert words in text


def test_pausing_resuming_finishing_and_a_new_draft(admin_client, branched):
    for button, status in [("pause", "paused"), ("resume", "live"), ("finish", "finishing"), ("resume", "live")]:
        press(admin_client, branched, button)
        assert branched.status == status
    assert "Revision 2 is a copy" in press(admin_client, branched, "new_draft")
    assert branched.revisions.count() == 2
    assert "is published" in press(admin_client, branched, "publish")
    assert branched.live.number == 2


def test_reading_the_page_changes_nothing(admin_client, branched):
    admin_client.get(reverse("admin:workflows_workflow_change", args=[branched.pk]), {"workflows_workflow_pause": "1"})
    branched.refresh_from_db()
    assert branched.status == "live"


def test_publishing_an_unfinished_draft_says_what_is_missing(admin_client):
    flow = flows.workflow()
    flows.end(flow.draft())
    assert "has no start: add one" in press(admin_client, flow, "publish")
    assert flow.status == "draft"


def test_staff_make_a_workflow_step_by_step(admin_client, now):
    made = {"name": "Welcome", "goal": "They buy", "goal_event": "order_completed", "goal_days": 30, "reentry": "once"}
    admin_client.post(reverse("admin:workflows_workflow_add"), made)
    flow = Workflow.objects.get(name="Welcome")
    draft = flow.revisions.get()
    finish = {"revision": draft.pk, "outcome": "Done", "name": ""}
    answer = admin_client.post(reverse("admin:workflows_end_add"), finish)
    assert answer.url == reverse("admin:workflows_workflow_change", args=[flow.pk])
    end = draft.nodes.get()
    mail = {"revision": draft.pk, "template": flows.template().pk, "after_next": end.pk, "name": ""}
    assert admin_client.post(reverse("admin:workflows_sendemail_add"), mail).status_code == 302
    sent = draft.nodes.last()
    start = {"revision": draft.pk, "event_type": flows.on_event(flows.workflow().draft()).event_type_id}
    admin_client.post(reverse("admin:workflows_onevent_add"), start | {"after_next": sent.pk, "name": ""})

    ways = Edge.objects.filter(source__revision=draft).order_by("pk").values_list("source", "outlet", "target")
    assert list(ways) == [(sent.pk, "next", end.pk), (draft.nodes.last().pk, "next", sent.pk)]
    assert "is published" in press(admin_client, flow, "publish")


def test_a_live_step_cannot_be_changed(admin_client, branched):
    wait = branched.live.nodes.instance_of(Wait).get()
    answer = admin_client.post(reverse("admin:workflows_wait_change", args=[wait.pk]), {"amount": 9, "unit": "days"})
    assert answer.status_code == 403
    wait.refresh_from_db()
    assert wait.amount == 1


def test_the_way_of_a_customer(admin_client, branched, now):
    done = Enrolment.objects.get(status="completed")
    text = page(admin_client, "workflows_enrolment_change", done.pk)
    for words in ("Came to an end", "Send the e-mail “Hello”", "End: Done", ">no<"):
        assert words in text.replace("\n", "").replace("  ", "")
    waiting = Enrolment.objects.get(status="active")
    assert waiting.due_at == now + timedelta(days=1)
    assert "Wait 1 day, on Nov 24, 2:14 pm" in page(admin_client, "workflows_enrolment_change", waiting.pk)
    assert "Winback" in page(admin_client, "workflows_enrolment_changelist")


@pytest.mark.parametrize("number", ["999999", "x"])
def test_a_workflow_that_is_not_there_leads_back_with_a_word(admin_client, number):
    answer = admin_client.get(f"/workflows/workflow/{number}/change/", follow=True)

    assert answer.redirect_chain == [("/", 302)]
    assert f"workflow with ID “{number}” doesn’t exist" in answer.content.decode()


def test_a_workflow_is_made_from_scratch_with_a_question_of_its_own(admin_client):
    form = {"name": "Thank regulars", "goal": "Buy again", "goal_event": "order_completed", "goal_days": 14}
    made = admin_client.post(reverse("admin:workflows_workflow_add"), form | {"reentry": "once"})
    workflow = Workflow.objects.get(name="Thank regulars")
    assert made.url == reverse("admin:workflows_workflow_change", args=[workflow.pk])
    revision = workflow.draft()
    mail = flows.email(revision)
    other = flows.email(flows.workflow(name="Other").draft())

    added = admin_client.post(reverse("admin:workflows_if_add"), {"revision": revision.pk, "name": ""})
    step = If.objects.get()
    editor = reverse("admin:workflows_if_conditions", args=[step.pk])
    assert added.url == editor
    assert editor in page(admin_client, "workflows_if_change", step.pk)
    assert "A step “if” asks nothing yet. Open it and add a condition." in revision.problems()

    palette = admin_client.get(f"{editor}?new=0").content.decode()
    assert "Got message" in palette
    form = admin_client.get(f"{editor}?new=0&type=got_message")
    assert [each.pk for each in form.context["form"].fields["step"].queryset] == [mail.pk]
    assert other.pk != mail.pk

    answered = admin_client.post(f"{editor}rows/?to=0&after=&type=got_message", {"step": mail.pk})
    assert answered.url.startswith(f"{editor}?row=")
    step.refresh_from_db()
    assert step.condition.copy().summary() == f"got “{mail.label}”"


def test_the_conditions_of_a_step_are_grouped_moved_and_turned_round(admin_client):
    revision = flows.workflow().draft()
    step = If.objects.create(revision=revision, condition=CustomerField.objects.create(value="MA"))
    editor = reverse("admin:workflows_if_conditions", args=[step.pk])

    admin_client.post(
        f"{editor}rows/?to=0&after=&type=made_purchase", {"operator": "at_least", "count": 2, "when": "ever"}
    )
    first, second = asked(step).parts()
    assert (first.summary(), second.summary()) == ("live in Massachusetts", "made at least 2 purchases")
    admin_client.post(f"{editor}rows/{first.number}/negate/")
    admin_client.post(f"{editor}groups/0/?mode=any_of")

    assert dumped(asked(step)) == {
        "any_of": [{"none_of": [{"customer_field": {"value": "MA"}}]}, {"made_purchase": {"count": 2}}]
    }


def asked(step):
    return If.objects.get(pk=step.pk).condition.get_real_instance()


def test_a_refused_publication_says_why_and_not_that_it_went_well(admin_client):
    workflow = flows.workflow(name="Empty")
    workflow.draft()
    form = {"name": "Empty", "goal": "", "goal_event": "", "goal_days": 14, "reentry": "once"}
    address = reverse("admin:workflows_workflow_change", args=[workflow.pk])

    answer = admin_client.post(address, form | {"workflows_workflow_publish": "1"}, follow=True)

    assert answer.redirect_chain[-1][0] == address
    text = answer.content.decode()
    assert "The workflow has no goal." in text
    assert "changed successfully" not in text


def test_the_conditions_of_a_live_workflow_cannot_be_changed(admin_client, branched):
    step = branched.live.nodes.instance_of(If).get()
    editor = reverse("admin:workflows_if_conditions", args=[step.pk])
    before = dumped(asked(step))

    assert admin_client.get(editor).status_code == 200
    new = f"{editor}rows/?to=0&after=&type=customer_field"
    assert admin_client.post(new, {"field": "state", "operator": "is", "value": "NY"}).status_code == 403
    assert dumped(asked(step)) == before
