"""Who must not be written to, and why."""

from datetime import timedelta

import pytest

from loyaltyflow.store.models import Consent
from messaging import outbox
from messaging.models import Message, Suppression
from tests import factories

from . import world

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("_case", "word", "reason"),
    [
        ("never asked", None, "no_consent"),
        ("unknown", Consent.Status.UNKNOWN, "no_consent"),
        ("asked, not confirmed", Consent.Status.PENDING, "no_consent"),
        ("opted out", Consent.Status.OPTED_OUT, "opted_out"),
    ],
)
def test_marketing_needs_consent(mailbox, now, _case, word, reason):
    who = factories.customer()
    if word:
        factories.consent(who, now - timedelta(days=2))
        factories.consent(who, now - timedelta(days=1), word)
    world.post(world.template(), now, who)

    assert outbox.deliver(now) == {"blocked": 1}

    message = Message.objects.get()
    assert (message.status, message.reason, message.address) == ("blocked", reason, who.email)
    assert not mailbox.exists()


def test_the_last_word_counts_even_if_it_is_later_than_now(now):
    who = world.fan(now - timedelta(days=9))
    factories.consent(who, now + timedelta(days=3), Consent.Status.OPTED_OUT)
    world.post(world.template(), now, who)

    assert outbox.deliver(now) == {"blocked": 1}


@pytest.mark.parametrize("make", [world.template, world.service])
@pytest.mark.parametrize("address", ["", "no address", "a@b\r\nBcc: x@example.com"])
def test_a_message_needs_an_address(now, make, address):
    who = world.fan(now, email=address)
    world.post(make(), now, who)

    assert outbox.deliver(now) == {"blocked": 1}
    assert Message.objects.get().reason == "no_address"


@pytest.mark.parametrize("make", [world.template, world.service])
def test_a_suppressed_address_is_never_written_to(now, make):
    who = world.fan(now, email="Gone@Example.com")
    Suppression.objects.create(address="gone@example.com", reason=Suppression.Reason.HARD_BOUNCE)
    world.post(make(), now, who)

    assert outbox.deliver(now) == {"blocked": 1}
    assert Message.objects.get().reason == "suppressed"


def test_a_missing_value_blocks_its_message_alone(mailbox, now):
    nameless, named = world.fan(now), world.fan(now, first_name="Ann")
    world.post(world.template("{{ customer.first_name }}"), now, nameless, named)

    assert outbox.deliver(now) == {"blocked": 1, "sent": 1}

    blocked = world.message(customer=nameless)
    assert (blocked.reason, blocked.sent_at) == ("render_error", None)
    missing = "customer.first_name is not known of this customer."
    assert blocked.detail == f'{missing} Give {{{{ customer.first_name | default: "…" }}}} in the template.'
    assert [file.name for file in mailbox.iterdir()] == [f"{world.message(customer=named).pk}.eml"]


def test_staff_can_stop_what_is_pending(now):
    who = world.fan(now)
    world.post(world.template(), now, who)

    assert Message.objects.all().stop() == 1

    assert outbox.deliver(now) == {}
    assert (Message.objects.get().status, Message.objects.get().reason) == ("blocked", "stopped")


def test_nothing_leaves_before_its_time(now):
    who = world.fan(now)
    world.post(world.template(), now + timedelta(minutes=1), who)

    assert outbox.deliver(now) == {}
    assert outbox.deliver(now + timedelta(minutes=1)) == {"sent": 1}
