from datetime import timedelta
from itertools import count

import pytest
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from loyaltyflow.store.models import Customer, Event, StoreSettings
from messaging import outbox
from messaging.channels.email import EmailConnection
from messaging.messages import Outcome
from messaging.models import Campaign, Message

from . import world


@pytest.mark.django_db
def test_posting_twice_makes_one_message_in_one_statement(now, django_assert_num_queries):
    customers = [world.fan(now) for _ in range(3)]
    template = world.template()
    Campaign.objects.create(name="News")

    with django_assert_num_queries(2):
        assert world.post(template, now, *customers) == 3
    assert world.post(template, now, *customers) == 0

    assert Message.objects.filter(status="pending", category="marketing", channel="email", due_at=now).count() == 3


@pytest.mark.django_db
def test_posted_values_may_be_plain_or_expressions(now):
    who = world.fan(now, first_name="Ann")
    world.post(world.template(), now, who, points=100, who=Concat(F("first_name"), Value("!")))

    assert Message.objects.get().values == {"points": 100, "who": "Ann!"}


@pytest.mark.django_db
def test_release_calls_one_worker_and_each_calls_the_next_while_there_is_more_to_do(now, monkeypatch):
    monkeypatch.setattr(outbox, "MESSAGES_A_DRAIN", 2)
    monkeypatch.setattr(outbox, "DRAINS", 2)
    template = world.template()
    assert outbox.release(now) == {"due": 0, "tasks": 0, "uncertain": 0}

    world.post(template, now - timedelta(days=3650), *[world.fan(now) for _ in range(3)])
    assert outbox.release(now) == {"due": 2, "tasks": 1, "uncertain": 0}
    assert outbox.drain() == {"sent": 3}
    assert OrmQ.objects.count() == 2

    world.post(template, now - timedelta(days=3650), *[world.fan(now) for _ in range(2)])
    assert outbox.release(now) == {"due": 2, "tasks": 0, "uncertain": 0}
    assert outbox.drain() == {"sent": 2}
    assert OrmQ.objects.count() == 2


@pytest.mark.django_db
def test_drain_delivers_what_is_due_now(now):
    world.post(world.template(), now - timedelta(days=3650), world.fan(now))

    assert outbox.drain() == {"sent": 1}
    assert Message.objects.get().sent_at is not None


@pytest.mark.django_db
def test_staff_decide_what_became_of_uncertain_messages(mailbox, now):
    customers = [world.fan(now) for _ in range(2)]
    world.post(world.template(), now, *customers)
    Message.objects.update(status="sending", claimed_at=now - timedelta(minutes=11))

    assert outbox.release(now)["uncertain"] == 2
    assert outbox.deliver(now) == {}

    assert Message.objects.filter(customer=customers[0]).send_again(now) == 1
    assert Message.objects.filter(customer=customers[1]).count_as_sent() == 1
    assert outbox.deliver(now) == {"sent": 1}
    counted = world.message(customer=customers[1])
    assert (counted.status, counted.sent_at) == ("sent", now - timedelta(minutes=11))
    assert Event.objects.filter(name="message_sent").count() == 2
    assert len(list(mailbox.iterdir())) == 1


@pytest.mark.django_db
def test_a_fresh_claim_is_left_alone(now):
    world.post(world.template(), now, world.fan(now))
    Message.objects.update(status="sending", claimed_at=now - timedelta(minutes=9))

    assert outbox.release(now)["uncertain"] == 0
    assert Message.objects.get().status == "sending"


@pytest.mark.django_db
def test_what_takes_too_long_is_given_back(now, monkeypatch):
    world.post(world.template(), now, world.fan(now), world.fan(now))
    monkeypatch.setattr(outbox, "HOLD_SECONDS", -1)

    assert outbox.deliver(now) == {"returned": 2}
    assert Message.objects.filter(status="pending", claimed_at=None).count() == 2


@pytest.mark.django_db
def test_a_drain_gives_back_in_time_what_it_has_claimed_late(now, monkeypatch):
    world.post(world.template(), now - timedelta(days=3650), *[world.fan(now) for _ in range(20)])
    passed = count(0, 30)  # seconds; each look at the clock comes half a minute after the one before
    monkeypatch.setattr(outbox, "monotonic", lambda: next(passed))

    done = outbox.drain()

    assert done == {"sent": 4, "returned": 16}
    assert next(passed) < 300  # django-q's timeout
    assert not Message.objects.filter(status="sending").exists()


@pytest.mark.django_db
def test_only_the_message_at_which_a_drain_breaks_stays_unclear(now, monkeypatch):
    world.post(world.template(), now, *[world.fan(now) for _ in range(5)])
    send, sent = EmailConnection.send, count(1)

    def full_at_the_third(self, outgoing):
        if next(sent) == 3:
            raise OSError("No space left on device")
        return send(self, outgoing)

    monkeypatch.setattr(EmailConnection, "send", full_at_the_third)

    with pytest.raises(OSError, match="No space left"):
        outbox.deliver(now)

    assert sorted(Message.objects.values_list("status", flat=True)) == ["pending", "pending", "sending", "sent", "sent"]


@pytest.mark.django_db
def test_an_outcome_does_not_undo_what_staff_decided(now):
    world.post(world.template(), now, world.fan(now))
    message = Message.objects.get()
    Message.objects.update(status="blocked", reason="stopped")

    assert Message.record([Outcome(message.pk, "sent")], now) == 0
    assert not Event.objects.filter(name="message_sent").exists()


def statements(number: int, now) -> int:
    Message.objects.all().delete()
    Customer.objects.all().delete()
    template = world.service("{{ customer.name | default: store.name }} {{ points.balance }}")
    Customer.objects.bulk_create([Customer(email=f"many{each}@example.com") for each in range(number)])
    world.post(template, now, *Customer.objects.all())
    with CaptureQueriesContext(connection) as seen:
        assert outbox.deliver(now) == {"sent": number}
    return len(seen)


@pytest.mark.django_db
def test_statements_depend_on_chunks_not_on_messages(now):
    StoreSettings.load()
    one_chunk, full_chunk, three = statements(3, now), statements(25, now), statements(75, now)

    assert one_chunk == full_chunk
    assert (three - full_chunk) / 2 == 4  # a savepoint, the outcomes, their events, its release
