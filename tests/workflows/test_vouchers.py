"""The step that gives vouchers, and the messages that speak of them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyaltyflow.store.clock import present, store
from loyaltyflow.store.events import happened
from messaging import outbox
from messaging.models import EmailTemplate, Message
from rewards import endings
from rewards.vouchers import Voucher
from tests import factories
from tests.rewards.vouching import discount, pool
from workflows import engine
from workflows.conditions import VoucherUnused
from workflows.models import Enrolment, Step
from workflows.nodes.assign_voucher import AssignVoucher
from workflows.nodes.if_ import If
from workflows.nodes.send_email import SendEmail
from workflows.nodes.wait import Wait

from . import flows

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
TOLD = "<mj-text>{{ voucher.code }} for {{ voucher.title }} until {{ voucher.expires }}</mj-text>"
BODY = f"<mjml><mj-body><mj-section><mj-column>{TOLD}</mj-column></mj-section></mj-body></mjml>"


@pytest.fixture
def now():
    """This very moment, as publishing looks at the clock."""
    return store().local(present())


@pytest.fixture
def draft():
    return flows.workflow(name="Come back").draft()


def letter(draft, name="Your voucher", body=BODY):
    template = EmailTemplate.objects.create(name=name, subject="A present", body=body, category="service")
    return SendEmail.objects.create(revision=draft, template=template)


def gift(draft, of=None, **fields):
    return AssignVoucher.objects.create(revision=draft, discount=of or discount(**fields))


def wait(draft, days):
    return Wait.objects.create(revision=draft, amount=days, unit="days")


def live(now, draft, *nodes):
    """The start, the nodes in a row and an end, published; who gets no voucher comes to an end of their own."""
    for each in nodes:
        if isinstance(each, AssignVoucher):
            each.leads_to(flows.end(draft, "None left"), "none left")
    return flows.live(now, flows.on_event(draft), *nodes, flows.end(draft))


def sent():
    return list(Message.objects.order_by("pk").values_list("template__name", "status", "reason"))


def test_the_step_gives_one_code_and_the_message_after_it_says_it(now, draft, mailoutbox):
    of = discount(title="$10.00 off", valid_days=5, code_prefix="BACK")
    step, mail = gift(draft, of), letter(draft)
    live(now, draft, step, mail)
    who = factories.customer()
    [walk] = flows.stand_at(step, now, who)

    assert engine.advance(now) == {"moved": 3, "exited": 0, "failed": 0}
    assert engine.advance(now) == {"moved": 0, "exited": 0, "failed": 0}

    voucher = Voucher.objects.get()
    assert (voucher.customer, voucher.origin) == (who, f"node:{step.pk}:{walk.pk}")
    assert voucher.workflow == walk.workflow_id
    assert Message.objects.get().values == {"voucher": voucher.pk}
    assert outbox.deliver(now) == {"sent": 1}
    last = (now + 5 * DAY).date()
    assert f"{voucher.code} for $10.00 off until {last:%B} {last.day}, {last.year}" in mailoutbox[0].body


def test_a_step_that_is_tried_again_gives_the_same_code(now, draft, monkeypatch):
    step = gift(draft)
    live(now, draft, step, letter(draft))
    flows.stand_at(step, now, factories.customer())

    def broken(*args):
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(engine, "_log", broken)
    assert engine.advance(now)["failed"] == 1
    assert not Voucher.objects.exists()
    monkeypatch.undo()
    engine.advance(now)
    before = Voucher.objects.values_list("code", flat=True).get()
    Step.objects.all().delete()
    Enrolment.objects.update(node=step, status="active", due_at=now)
    engine.advance(now)
    assert Voucher.objects.values_list("code", flat=True).get() == before


def test_who_finds_the_pool_empty_takes_the_other_way_and_gets_no_message(now, draft):
    of = discount(makes_codes=False)
    pool(of, "ONLY-1")
    step = gift(draft, of)
    live(now, draft, step, letter(draft))
    first, second = factories.customer(), factories.customer()
    flows.stand_at(step, now, first, second)

    engine.advance(now)

    assert list(Voucher.objects.values_list("code", "customer")) == [("ONLY-1", first.pk)]
    assert list(Message.objects.values_list("customer", flat=True)) == [first.pk]
    outcomes = dict(Enrolment.objects.values_list("customer", "outcome"))
    assert outcomes == {first.pk: "Completed", second.pk: "None left"}


def test_a_message_without_a_voucher_is_not_sent_blank(now, draft, mailoutbox):
    """Not even if the customer has a voucher from elsewhere."""
    who = factories.customer()
    Voucher.objects.create(code="ELSEWHERE", discount=discount(), customer=who, assigned_at=now)
    mail = letter(draft)
    live(now, draft, mail)
    flows.stand_at(mail, now, who)
    engine.advance(now)

    assert outbox.deliver(now) == {"blocked": 1}

    assert sent() == [("Your voucher", "blocked", "render_error")]
    assert "voucher.code is not known of this customer" in Message.objects.get().detail
    assert not mailoutbox


@pytest.mark.parametrize(
    ("_case", "change", "result"),
    [
        ("unused", lambda now: None, ("sent", "")),
        ("used", lambda now: Voucher.objects.update(state="redeemed", uses=1), ("blocked", "voucher_gone")),
        ("revoked", lambda now: endings.revoke(Voucher.objects.all(), "No", now), ("blocked", "voucher_gone")),
        ("over", lambda now: Voucher.objects.update(expires_at=now + 3 * DAY), ("blocked", "voucher_gone")),
        ("over a moment later", lambda now: Voucher.objects.update(expires_at=now + 3.001 * DAY), ("sent", "")),
    ],
)
def test_a_reminder_says_the_same_code_unless_it_is_gone(now, draft, mailoutbox, _case, change, result):
    step = gift(draft, valid_days=8)
    live(now, draft, step, letter(draft), wait(draft, 3), letter(draft, "Reminder"))
    flows.stand_at(step, now, factories.customer())
    engine.advance(now)
    outbox.deliver(now)
    change(now)

    engine.advance(now + 3 * DAY)
    outbox.deliver(now + 3 * DAY)

    assert sent() == [("Your voucher", "sent", ""), ("Reminder", *result)]
    code = Voucher.objects.get().code
    assert [code in mail.body for mail in mailoutbox] == [True] * (1 + (result[0] == "sent"))


def test_a_message_that_does_not_speak_of_the_voucher_is_sent_after_its_use(now, draft):
    step = gift(draft)
    live(now, draft, step, flows.email(draft, "Thank you"))
    EmailTemplate.objects.update(category="service")
    flows.stand_at(step, now, factories.customer())
    engine.advance(now)
    Voucher.objects.update(state="redeemed", uses=1)
    assert (Message.objects.get().values, outbox.deliver(now)) == ({}, {"sent": 1})


def test_a_voucher_for_the_next_order_knows_the_order_that_brought_it(now, draft):
    step = gift(draft)
    step.revision.workflow.reentry = "every_time"
    live(now, draft, step, letter(draft))
    who, other = factories.customer(), factories.customer()
    order = factories.order(who, now)
    happened("mobile_purchase", other.pk, now, "mobile:1", order="A-17")
    for walk in flows.stand_at(step, now, who, other):
        walk.entry_event = walk.customer.events.first()
        walk.save(update_fields=["entry_event"])
    engine.advance(now)
    assert dict(Voucher.objects.values_list("customer", "order")) == {who.pk: order.pk, other.pk: None}


@pytest.mark.parametrize(
    ("_case", "fields", "days", "problem"),
    [
        ("active without an end", {}, 9, ""),
        ("off", {"is_active": False}, 9, "gives the discount “Ten”, which is not active. Switch it on."),
        ("ends before the last message about it", {"ends_at": 5}, 9, "which ends on "),
        ("ends after it", {"ends_at": 12}, 9, ""),
        ("has ended", {"ends_at": -1}, 9, "gives the discount “Ten”, which has ended. Let it end later"),
    ],
)
def test_a_discount_that_cannot_be_given_keeps_the_workflow_from_going_live(now, draft, _case, fields, days, problem):
    if "ends_at" in fields:
        fields = {**fields, "ends_at": now + fields["ends_at"] * DAY}
    step = gift(draft, name="Ten", **fields)
    step.leads_to(flows.end(draft), "none left")
    flows.chain(flows.on_event(draft), step, letter(draft), wait(draft, days), letter(draft, "Later"), flows.end(draft))
    found = draft.problems()
    assert len(found) == bool(problem)
    assert all("“Assign a voucher “Ten””" in each and problem in each for each in found)


def test_only_messages_about_the_voucher_count_as_its_use(now, draft):
    step = gift(draft, ends_at=now + DAY)
    step.leads_to(flows.end(draft), "none left")
    flows.chain(flows.on_event(draft), step, wait(draft, 9), flows.email(draft, "Hello"), flows.end(draft))
    assert draft.problems() == []


@pytest.mark.parametrize(("days", "warned"), [(8, False), (9, True)])
def test_a_reminder_after_the_voucher_is_over_is_warned_of(now, draft, days, warned):
    step = gift(draft, name="Ten", valid_days=8)
    step.leads_to(flows.end(draft), "none left")
    later = letter(draft, "Reminder")
    flows.chain(
        flows.on_event(draft), step, letter(draft), wait(draft, days - 3), wait(draft, 3), later, flows.end(draft)
    )
    expected = (
        "“Send the e-mail “Reminder”” can come 9 days after “Assign a voucher “Ten””, whose voucher lasts for 8 days: "
        "by then it is over. Send it earlier or let the voucher last longer."
    )
    assert draft.warnings() == [expected] * warned
    assert draft.problems() == []


def test_the_page_warns_before_publishing(now, draft, admin_client):
    step = gift(draft, valid_days=1)
    flows.chain(flows.on_event(draft), step, wait(draft, 3), letter(draft, "Reminder"), flows.end(draft))
    page = admin_client.get(reverse("admin:workflows_workflow_change", args=[draft.workflow_id])).content.decode()
    assert "Worth a second look" in page
    assert "can come 3 days after" in page
    assert "has no step after “none left”" in page.replace("&quot;", '"')


def test_the_form_offers_active_discounts_and_both_ways(draft, admin_client):
    on, off = discount(name="On"), discount(name="Off", is_active=False)
    end = flows.end(draft)
    address = reverse("admin:workflows_assignvoucher_add")
    page = admin_client.get(f"{address}?revision={draft.pk}").content.decode()
    assert ("On</option>" in page, "Off</option>" in page, 'name="after_none_left"' in page) == (True, False, True)

    form = {"discount": on.pk, "after_next": end.pk, "after_none_left": end.pk, "name": "", "revision": draft.pk}
    refused = admin_client.post(address, form | {"discount": off.pk})
    assert "Choose a discount that is active." in refused.content.decode()
    assert admin_client.post(address, form).status_code == 302
    step = AssignVoucher.objects.get()
    assert {edge.outlet: edge.target_id for edge in step.edges.all()} == {"next": end.pk, "none left": end.pk}


@pytest.mark.parametrize(
    ("_case", "change", "unused", "gone"),
    [
        ("unused", {}, True, False),
        ("revoked", {"state": "revoked", "ended_at": "now"}, False, True),
        ("over", {"expires_at": "now"}, False, True),
        ("of another step", {"origin": "node:1:1"}, False, False),
        ("of an earlier walk", {"assigned_at": "before"}, False, False),
    ],
)
def test_whether_the_voucher_of_the_workflow_can_still_be_used(now, draft, _case, change, unused, gone):
    step = gift(draft)
    live(now, draft, step, wait(draft, 3))
    who = factories.customer()
    flows.stand_at(step, now, who)
    engine.advance(now)
    moments = {"now": now, "before": now - DAY}
    Voucher.objects.update(**{name: moments.get(value, value) for name, value in change.items()})

    later = now + DAY
    for is_unused, expected in ((True, unused), (False, gone)):
        condition = VoucherUnused(step=step, is_unused=is_unused)
        assert condition.explain(who, later).holds is expected
    assert VoucherUnused(step=step).summary() == f"can still use the voucher of “Assign a voucher “{step.discount}””"


def test_a_used_voucher_is_gone_for_the_condition(now, draft):
    step = gift(draft)
    live(now, draft, step, wait(draft, 3))
    who = factories.customer()
    flows.stand_at(step, now, who)
    engine.advance(now)
    voucher = Voucher.objects.get()
    voucher.redemptions.create(
        discount=voucher.discount,
        customer=who,
        order=factories.order(who, now),
        amount=1,
        redeemed_at=now,
        is_single=True,
    )
    assert not VoucherUnused(step=step).explain(who, now).holds
    assert VoucherUnused(step=step, is_unused=False).explain(who, now).holds


def test_a_copy_of_the_draft_asks_for_the_copied_step(now, draft):
    step = gift(draft)
    asked = If.objects.create(revision=draft, condition=VoucherUnused.objects.create(step=step))
    asked.leads_to(letter(draft, "Reminder"), "yes").leads_to(flows.end(draft))
    asked.leads_to(flows.end(draft), "no")
    step.leads_to(flows.end(draft), "none left")
    flow = flows.live(now, flows.on_event(draft), step, letter(draft), wait(draft, 2), asked)
    copied = flow.draft()
    ours = AssignVoucher.objects.get(revision=copied)
    assert VoucherUnused.objects.exclude(step=step).get().step == ours


def test_the_number_of_statements_does_not_depend_on_how_many_come(now):
    counts = []
    for people in (2, 30):
        draft = flows.workflow().draft()
        step = gift(draft)
        live(now, draft, step, letter(draft, f"For {people}"))
        flows.stand_at(step, now, *(factories.customer() for _ in range(people)))
        with CaptureQueriesContext(connection) as captured:
            engine.advance(now)
        counts.append(len(captured))
        with CaptureQueriesContext(connection) as captured:
            outbox.deliver(now)
        counts.append(len(captured))
    # A chunk of 25 messages is recorded by a fixed number of statements; thirty are two chunks.
    assert counts[0] == counts[2]
    assert counts[3] - counts[1] <= 6
