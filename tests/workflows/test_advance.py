from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from messaging.models import Message
from rewards.models import Account, Entry, Lot
from segments.conditions.customer_field import CustomerField
from segments.models import Segment
from tests import factories
from workflows import engine
from workflows.conditions import BoughtSince, GotMessage
from workflows.models import Enrolment, Step, Workflow
from workflows.nodes.award_points import AwardPoints
from workflows.nodes.if_ import If
from workflows.nodes.wait import Wait

from . import flows

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def draft():
    return flows.workflow().draft()


def if_from(draft, state):
    condition = CustomerField.objects.create(field="state", operator="is", value=state)
    return If.objects.create(revision=draft, condition=condition)


def steps_of(enrolment):
    return [(str(step.node), step.outlet) for step in enrolment.steps.all()]


def test_waiting_lasts_until_its_time(now, draft):
    wait = Wait.objects.create(revision=draft, amount=1, unit="days")
    mail = flows.email(draft)
    flows.live(now, flows.on_event(draft), wait, mail, flows.end(draft))
    (enrolment,) = flows.stand_at(wait, now, factories.customer())
    Enrolment.objects.update(due_at=wait.due(now))

    assert engine.advance(now + DAY - timedelta(seconds=1))["moved"] == 0
    assert engine.advance(now + DAY) == {"moved": 3, "exited": 0, "failed": 0}

    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.outcome, enrolment.ended_at) == ("completed", "Completed", now + DAY)
    assert steps_of(enrolment) == [
        ("Wait 1 day", "next"),
        ("Send the e-mail “Hello”", "next"),
        ("End: Completed", ""),
    ]
    assert enrolment.steps.first().arrived_at == now


def test_an_email_step_posts_one_message(now, draft):
    mail = flows.email(draft)
    flow = flows.live(now, flows.on_event(draft), mail, flows.end(draft))
    who = factories.customer()
    (enrolment,) = flows.stand_at(mail, now, who)

    engine.advance(now)

    message = Message.objects.get()
    assert (message.campaign, message.customer, message.template) == (flow.campaign, who, mail.template)
    assert (message.origin, message.visit, message.due_at) == (f"node:{mail.pk}", enrolment.pk, now)
    assert (message.status, message.channel, message.category) == ("pending", "email", "marketing")


def test_a_points_step_writes_the_ledger_once(now, draft):
    gift = AwardPoints.objects.create(revision=draft, points=100, explanation="Welcome to the club")
    mail, finish = flows.email(draft), flows.end(draft)
    flows.live(now, flows.on_event(draft), gift, mail, finish)
    who = factories.customer()
    (enrolment,) = flows.stand_at(gift, now, who)

    engine.advance(now)

    entry = Entry.objects.get()
    assert (entry.customer, entry.points, entry.kind, entry.explanation) == (who, 100, "boost", "Welcome to the club")
    assert entry.key == f"node:{gift.pk}:{enrolment.pk}"
    assert Account.objects.get().balance == 100
    assert Lot.objects.get().remaining == 100
    event = who.events.named("points_given").get()
    assert (event.name, event.key, event.properties) == ("points_given", f"points_given:{entry.pk}", {"points": 100})


def test_a_condition_is_judged_when_it_is_reached(now, draft):
    branch = if_from(draft, "MA")
    yes, no = flows.end(draft, "At home"), flows.end(draft, "Elsewhere")
    branch.leads_to(yes, "yes")
    branch.leads_to(no, "no")
    flows.live(now, flows.on_event(draft), branch)
    here, there, outsider = (factories.customer(state=state) for state in ("MA", "NY", "MA"))
    moved_here = factories.customer(state="NY")
    flows.stand_at(branch, now, here, there, moved_here)
    type(moved_here).objects.filter(pk=moved_here.pk).update(state="MA")

    engine.advance(now)

    outcomes = dict(Enrolment.objects.values_list("customer", "outcome"))
    assert outcomes == {here.pk: "At home", there.pk: "Elsewhere", moved_here.pk: "At home"}
    assert steps_of(there.enrolments.get()) == [
        ("If they " + branch.condition.summary(), "no"),
        ("End: Elsewhere", ""),
    ]
    assert not outsider.enrolments.exists()


def test_got_message_asks_for_this_walks_message_and_that_it_arrived(now, draft):
    mail = flows.email(draft)
    branch = If.objects.create(revision=draft, condition=GotMessage.objects.create(step=mail))
    branch.leads_to(flows.end(draft, "Got it"), "yes")
    branch.leads_to(flows.end(draft, "Did not"), "no")
    flows.live(now, flows.on_event(draft), mail, branch)
    kinds = ("sent", "delivered", "bounced", "blocked", "pending", "uncertain", "earlier walk")
    people = {kind: factories.customer() for kind in kinds}
    for kind, who in people.items():
        (walk,) = flows.stand_at(branch, now, who)
        sent = {"visit": walk.pk, "status": kind}
        if kind == "earlier walk":
            sent = {"visit": walk.pk + 1_000_000, "status": "sent"}
        Message.objects.create(
            campaign=branch.revision.workflow.campaign,
            customer=who,
            template=mail.template,
            origin=mail.origin,
            due_at=now,
            sent_at=now,
            **sent,
        )

    engine.advance(now)

    outcomes = {kind: who.enrolments.get().outcome for kind, who in people.items()}
    assert [kind for kind, outcome in outcomes.items() if outcome == "Got it"] == ["sent", "delivered"]


def test_bought_since_a_step_or_since_entering(now, draft):
    trigger, mail = flows.on_event(draft), flows.email(draft)
    since_mail = If.objects.create(revision=draft, condition=BoughtSince.objects.create(step=mail))
    since_entry = If.objects.create(revision=draft, condition=BoughtSince.objects.create(step=trigger))
    since_mail.leads_to(flows.end(draft, "since the mail"), "yes")
    since_mail.leads_to(since_entry, "no")
    since_entry.leads_to(flows.end(draft, "since entering"), "yes")
    since_entry.leads_to(flows.end(draft, "no"), "no")
    flows.live(now, trigger, mail, since_mail)
    bought = {"since the mail": now - DAY, "since entering": now - 3 * DAY, "no": now - 5 * DAY}
    people = {outcome: factories.customer() for outcome in bought}
    for outcome, who in people.items():
        (walk,) = flows.stand_at(since_mail, now - 4 * DAY, who)
        Step.objects.create(enrolment=walk, node=trigger, arrived_at=now - 4 * DAY, left_at=now - 4 * DAY)
        Step.objects.create(enrolment=walk, node=mail, arrived_at=now - 4 * DAY, left_at=now - 2 * DAY)
        factories.order(who, bought[outcome])
    factories.order(people["no"], now - DAY, cancelled_at=now - timedelta(hours=1))

    engine.advance(now)

    assert {outcome: who.enrolments.get().outcome for outcome, who in people.items()} == {each: each for each in bought}


def test_a_paused_workflow_waits(now, draft):
    mail = flows.email(draft)
    flow = flows.live(now, flows.on_event(draft), mail, flows.end(draft))
    flows.stand_at(mail, now, factories.customer())
    assert flow.pause()

    assert engine.advance(now) == {"moved": 0, "exited": 0, "failed": 0}
    assert not Message.objects.exists()

    assert flow.resume()
    assert engine.advance(now)["moved"] == 2
    assert Message.objects.count() == 1


def test_a_finishing_workflow_moves_on_and_ends_when_it_is_empty(now, draft):
    wait = Wait.objects.create(revision=draft, amount=1, unit="days")
    flow = flows.live(now, flows.on_event(draft), wait, flows.end(draft))
    flows.stand_at(wait, now, factories.customer())
    Enrolment.objects.update(due_at=now + DAY)
    assert flow.finish()

    engine.advance(now)
    assert Workflow.objects.get().status == "finishing"

    engine.advance(now + DAY)
    assert Workflow.objects.get().status == "ended"


def test_who_is_no_longer_in_the_segment_gets_no_next_step(now, draft):
    segment = Segment.objects.create(name="Gone", kind=Segment.Kind.STATIC)
    mail = flows.email(draft)
    flows.live(now, flows.on_segment(draft, segment), mail, flows.end(draft))
    member, former = factories.customer(), factories.customer()
    flows.enter(member, segment, now - DAY)
    flows.stand_at(mail, now, member, former)

    assert engine.advance(now) == {"moved": 2, "exited": 1, "failed": 0}

    assert Message.objects.get().customer == member
    assert (former.enrolments.get().status, former.enrolments.get().outcome) == ("exited", "Left the segment")


def test_a_failure_after_the_effect_undoes_the_effect(now, draft, monkeypatch):
    gift = AwardPoints.objects.create(revision=draft, points=5)
    flows.live(now, flows.on_event(draft), gift, flows.email(draft), flows.end(draft))
    flows.stand_at(gift, now, factories.customer())
    before = list(Enrolment.objects.values())

    def broken(*args):
        assert Entry.objects.count() == 1
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(engine, "_log", broken)

    assert engine.advance(now) == {"moved": 0, "exited": 0, "failed": 1}
    assert (Entry.objects.count(), Lot.objects.count(), Account.objects.count()) == (0, 0, 0)
    assert list(Enrolment.objects.values()) == before

    monkeypatch.undo()
    assert engine.advance(now)["moved"] == 3
    assert Account.objects.get().balance == 5


def test_one_node_that_fails_is_named_and_does_not_stop_the_others(now, draft, monkeypatch, caplog):
    bad = Wait.objects.create(revision=draft, amount=1, unit="days", name="Broken wait")
    flow = flows.live(now, flows.on_event(draft), bad, flows.end(draft))
    second = flows.workflow().draft()
    mail = flows.email(second)
    flows.live(now, flows.on_event(second), mail, flows.end(second))
    flows.stand_at(bad, now, factories.customer())
    flows.stand_at(mail, now, factories.customer())

    def run(node, batch):
        raise RuntimeError("no")

    monkeypatch.setattr(Wait, "run", run)

    assert engine.advance(now) == {"moved": 2, "exited": 0, "failed": 1}

    assert Message.objects.count() == 1
    assert Enrolment.objects.get(node=bad).status == "active"
    assert "“Broken wait”" in caplog.text
    assert f"“{flow}”" in caplog.text


def test_batches_follow_each_other_until_nothing_is_due(now, draft, monkeypatch):
    monkeypatch.setattr(engine, "BATCH", 2)
    mail = flows.email(draft)
    flows.live(now, flows.on_event(draft), mail, flows.end(draft))
    flows.stand_at(mail, now, *(factories.customer() for _ in range(5)))

    assert engine.advance(now)["moved"] == 10
    assert Message.objects.count() == 5
    assert set(Enrolment.objects.values_list("status", flat=True)) == {"completed"}


def many_at(node, now, count):
    customers = type(factories.customer()).objects
    people = customers.bulk_create(
        [customers.model(email=f"{count}.{n}@example.com", state="MA") for n in range(count)]
    )
    moments = {"entered_at": now, "arrived_at": now, "due_at": now}
    Enrolment.objects.bulk_create(
        Enrolment(workflow=node.revision.workflow, revision=node.revision, customer=who, node=node, **moments)
        for who in people
    )


def statements_of_a_tick(now, count):
    draft = flows.workflow().draft()
    branch, gift, mail = if_from(draft, "MA"), AwardPoints.objects.create(revision=draft, points=5), flows.email(draft)
    branch.leads_to(flows.end(draft, "Elsewhere"), "no")
    flows.live(now, flows.on_event(draft), branch, gift, mail, flows.end(draft))
    many_at(branch, now, count)
    with CaptureQueriesContext(connection) as captured:
        assert engine.advance(now) == {"moved": 4 * count, "exited": 0, "failed": 0}
    return len(captured)


def test_the_number_of_statements_does_not_depend_on_the_number_of_customers(now):
    statements_of_a_tick(now, 1)  # what Django looks up once and keeps
    few, many = statements_of_a_tick(now, 100), statements_of_a_tick(now, 10_000)

    assert few == many
