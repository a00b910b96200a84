"""Every movement of points is followed by a message, or by a reason why not."""

from datetime import timedelta
from random import Random

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Value
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Customer
from messaging import outbox
from messaging.models import Message, Suppression
from rewards import adjustments, ledger, notifying
from rewards.models import AdjustmentReason, Entry, Notice, NoticeProgress, Programme
from tests import factories
from tests.workflows import flows
from workflows import engine
from workflows.nodes.award_points import AwardPoints
from workflows.nodes.wait import Wait

from .points import give, give_all, skip_a_number

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def nine(now):
    """Nine in the morning on the store's clock, when digests go out."""
    return now.replace(hour=9, minute=0)


def at_once():
    Programme.load()
    Programme.objects.update(notices="at_once")


def earn(who, points, at, key):
    return ledger.award(
        Customer.objects.filter(pk=who.pk),
        kind=Entry.Kind.EARN,
        points=Value(points),
        key=Value(key),
        customer="pk",
        explanation=Value(f"Bought something for {points}"),
        now=at,
    )


def test_fifty_points_added_by_hand_are_a_message_in_the_outbox(now):
    at_once()
    who, boss = factories.customer(), User.objects.create_superuser("dana")
    reason = AdjustmentReason.objects.get_or_create(code="gift", defaults={"title": "A gift"})[0]
    made = adjustments.adjust(who.pk, 50, reason, "", boss, "k", now)

    assert notifying.send(now) == {"told": 1, "exempt": 0}
    assert notifying.send(now) == {"told": 0, "exempt": 0}

    message = Message.objects.get()
    assert (message.customer, message.category, message.status, message.due_at) == (who, "service", "pending", now)
    assert message.campaign.name == "Points notices"
    assert message.values["movements"] == [{"points": "+50", "what": reason.title, "when": "2026-11-23"}]
    assert (message.values["total"], made.entry.notice.message) == ("+50", message)


def test_a_digest_lists_all_movements_of_a_day_in_one_message_to_who_has_opted_out_too(nine, mailoutbox):
    who = factories.customer(first_name="Maria")
    factories.consent(who, nine, "opted_out")
    earn(who, 1_240, nine - 20 * HOUR, "a")
    ledger.take(who.pk, 40, key="b", explanation="Corrected", now=nine - 2 * HOUR)

    assert notifying.send(nine - HOUR) == {"told": 0, "exempt": 0}
    assert notifying.send(nine) == {"told": 2, "exempt": 0}

    message = Message.objects.get()
    assert [each["points"] for each in message.values["movements"]] == ["+1,240", "-40"]
    assert message.values["total"] == "+1,200"
    assert outbox.deliver(nine) == {"sent": 1}
    [mail] = mailoutbox
    assert "+1,240 on 2026-11-22: Bought something for 1240" in mail.body
    message.refresh_from_db()
    assert message.subject == "Your points: +1,200"
    assert list(notifying.missing(nine + 30 * HOUR)) == []


def test_no_digest_waits_longer_than_a_day_whatever_the_hour(nine):
    who = factories.customer()
    earn(who, 5, nine + HOUR, "a")
    assert notifying.send(nine + 23 * HOUR + timedelta(minutes=59)) == {"told": 0, "exempt": 0}
    assert notifying.send(nine + 24 * HOUR) == {"told": 1, "exempt": 0}
    earn(who, 5, nine + 25 * HOUR, "b")
    assert notifying.send(nine + 25 * HOUR + notifying.DIGEST_AFTER) == {"told": 1, "exempt": 0}


@pytest.mark.parametrize(
    ("_case", "email", "reason"), [("none", "", "no_address"), ("blocked", "a@b.example", "suppressed")]
)
def test_who_cannot_be_reached_is_exempt_with_the_reason(nine, _case, email, reason):
    who = factories.customer(email=email, first_name="Ann")
    if email:
        Suppression.objects.create(address=email)
    earn(who, 5, nine - HOUR, "a")
    assert notifying.send(nine) == {"told": 0, "exempt": 1}
    assert Message.objects.count() == 0
    assert (Notice.objects.get().exemption, Notice.objects.get().message) == (reason, None)


def test_a_notice_that_could_not_be_sent_becomes_an_exemption(nine):
    who = factories.customer()
    earn(who, 5, nine - HOUR, "a")
    notifying.send(nine)
    Message.objects.update(status="blocked", reason="render_error")
    assert notifying.send(nine) == {"told": 0, "exempt": 1}
    assert Notice.objects.get().exemption == "not_sent"


def test_what_is_older_than_the_notices_is_exempt(nine):
    NoticeProgress.objects.create(since=nine)
    earn(factories.customer(), 5, nine - HOUR, "a")
    assert notifying.send(nine) == {"told": 0, "exempt": 0}
    assert (
        list(notifying.missing(nine + 50 * HOUR)) == list(notifying.missing(nine + 50 * HOUR, all_of_them=True)) == []
    )


def test_what_is_written_down_meanwhile_under_a_lower_number_is_told_of_too(nine):
    at_once()
    who = factories.customer()
    give(who, 1, "old", nine - HOUR, recorded_at=nine - 9_000 * HOUR)
    under_way = skip_a_number()
    give(who, 2, "young", nine - HOUR)
    assert notifying.send(nine) == {"told": 2, "exempt": 0}

    give(who, 3, "under way", nine - HOUR, id=under_way)

    assert notifying.send(nine) == {"told": 1, "exempt": 0}


def test_movements_without_notice_are_named(nine):
    who = factories.customer()
    earn(who, 5, nine, "a")
    assert list(notifying.missing(nine + 24 * HOUR)) == []
    assert list(notifying.missing(nine + 25 * HOUR)) == [Entry.objects.get()]
    assert list(notifying.missing(nine + 25 * HOUR, all_of_them=True)) == [Entry.objects.get()]


def welcome(now, days, **marks):
    """A live workflow that gives points and writes so many days after."""
    draft = flows.workflow().draft()
    gift = AwardPoints.objects.create(revision=draft, points=100)
    email = flows.email(draft)
    for name, value in marks.items():
        setattr(email, name, value)
    email.save()
    wait = [Wait.objects.create(revision=draft, amount=days, unit="days")] if days else []
    return flows.live(now, flows.on_event(draft), gift, *wait, email, flows.end(draft))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("_case", "days", "told_by"), [("a day later", 1, "node"), ("too late", 2, "points_notice")])
def test_a_gift_of_a_workflow_is_told_of_by_its_own_message_within_a_day(now, _case, days, told_by):
    welcome(now, days)
    who = factories.customer()
    flows.join(who, now)
    for hours in (1, 12, 23, 24, 25, 26, 49, 50):
        at = now + hours * HOUR
        engine.enrol(at)
        engine.advance(at)
        notifying.send(at)
    assert Notice.objects.get().message.origin.startswith(told_by)
    assert Message.objects.count() == (1 if told_by == "node" else 2)


@pytest.mark.django_db(transaction=True)
def test_a_workflows_message_that_was_not_sent_leaves_it_to_the_digest(now):
    welcome(now, 0)
    who = factories.customer()
    flows.join(who, now)
    engine.enrol(now)
    engine.advance(now)
    notifying.send(now)
    assert Notice.objects.get().message.origin.startswith("node:")
    Message.objects.update(status="blocked", reason="opted_out")
    assert notifying.send(now + HOUR) == {"told": 0, "exempt": 0}
    assert Notice.objects.count() == 0
    assert notifying.send(now + 24 * HOUR) == {"told": 1, "exempt": 0}
    assert Notice.objects.get().message.origin == "points_notice"


def test_random_movements_all_have_a_notice_or_a_reason_in_the_end(nine):
    chance, people = Random(19), [factories.customer(email=f"a{n}@example.com" if n % 4 else "") for n in range(8)]
    at = nine
    for number in range(120):
        at += timedelta(minutes=chance.randrange(1, 90))
        who = chance.choice(people)
        if chance.random() < 0.6:
            earn(who, chance.randrange(1, 500), at, f"earn {number}")
        elif (left := ledger.spendable([who.pk], at)[who.pk].spendable) > 1:
            ledger.take(who.pk, chance.randrange(1, left), key=f"take {number}", explanation="Taken", now=at)
        if chance.random() < 0.5:
            notifying.send(at)
        assert list(notifying.missing(at - 2 * HOUR)) == []
    for hours in range(1, 26):
        notifying.send(at + hours * HOUR)
    assert Entry.objects.filter(notice=None).count() == 0
    assert Notice.objects.exclude(exemption="").exists() and Notice.objects.exclude(message=None).exists()
    listed = sum(len(each.values["movements"]) for each in Message.objects.all())
    assert listed == Notice.objects.exclude(message=None).count()


def test_as_many_statements_for_many_movements_as_for_few(nine):
    def statements(count, prefix):
        Customer.objects.bulk_create(Customer(email=f"{prefix}{number}@example.com") for number in range(count))
        give_all(nine - HOUR, prefix=prefix)
        with CaptureQueriesContext(connection) as captured:
            assert notifying.send(nine)["told"] == Customer.objects.count()
        return len(captured)

    statements(1, "first")
    assert statements(10, "few") == statements(500, "many")


def test_points_that_a_workflow_gives_need_a_message_that_is_marked_as_their_notice(now):
    draft = flows.workflow().draft()
    gift, email = AwardPoints.objects.create(revision=draft, points=5), flows.email(draft)
    email.tells_of_points = False
    email.save()
    flows.chain(flows.on_event(draft), gift, email, flows.end(draft))
    assert any("changes points" in problem for problem in draft.problems())
    email.tells_of_points = True
    email.save()
    assert not any("changes points" in problem for problem in draft.problems())
