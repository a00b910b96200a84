"""From the outbox over a real mail server to the customer, and back by the unsubscribe link."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest

from loyaltyflow.store.models import Consent, Event
from messaging import outbox
from messaging.channels.mime import PersonalEmail
from messaging.models import Engagement, Message
from messaging.render import links
from tests import factories

from . import world

pytestmark = pytest.mark.django_db


def part(received: EmailMessage, kind: str) -> str:
    """The text of the message's plain or HTML part."""
    body = received.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_one_click_unsubscribe_over_a_real_mail_server(sink, client, now):
    # given a customer who opted in
    who = world.fan(now, first_name="Zoë", email="zoe@example.com")
    template = world.template("{{ customer.first_name }}", subject="News for {{ customer.first_name }}")
    world.post(template, now, who, visit=1)

    # when the message is delivered
    assert outbox.deliver(now) == {"sent": 1}

    # then the received message parses and can be unsubscribed from with one click
    received = message_from_bytes(sink.envelopes[0].content, policy=policy.default)
    assert received["Subject"] == "News for Zoë"
    assert received["To"] == "zoe@example.com"
    assert received["From"] == "My store <hello@example.com>"
    assert received["Auto-Submitted"] == "auto-generated"
    assert received["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "Hello Zoë" in part(received, "plain")
    assert "Hello Zoë" in part(received, "html")
    assert [part.get_content_type() for part in received.iter_parts()] == ["text/plain", "text/html"]
    message = Message.objects.get()
    assert received["Message-ID"] == f"<{message.pk}.test-1.{who.pk}@example.com>"
    assert (message.status, message.sent_at, message.subject) == ("sent", now, "News for Zoë")
    sent = Event.objects.get(name="message_sent")
    assert (sent.key, sent.customer_id, sent.occurred_at) == (f"message_sent:{message.pk}", who.pk, now)
    assert sent.properties == {"message": message.pk, "campaign": message.campaign_id}

    # when the inbox posts to the one-click address
    address = received["List-Unsubscribe"].strip("<>")
    assert address.startswith("https://club.example.com/t/u/")
    body = {"List-Unsubscribe": "One-Click"}
    assert client.post(urlsplit(address).path, body).status_code == 200

    # then the customer is opted out, and the next message is blocked
    word = Consent.objects.latest("pk")
    assert (word.customer_id, word.channel, word.status) == (who.pk, "email", "opted_out")
    assert (word.source, word.proof) == ("one-click unsubscribe", f"Message {message.pk} to zoe@example.com")
    world.post(template, now, who, visit=2)
    assert outbox.deliver(now) == {"blocked": 1}
    assert world.message(origin="test:2").reason == "opted_out"
    assert len(sink.envelopes) == 1


def test_a_service_message_has_no_unsubscribe_headers_and_goes_to_those_who_opted_out(sink, now):
    who = world.fan(now)
    factories.consent(who, now, Consent.Status.OPTED_OUT)
    world.post(world.service(), now, who)

    assert outbox.deliver(now) == {"sent": 1}

    received = message_from_bytes(sink.envelopes[0].content, policy=policy.default)
    assert received["List-Unsubscribe"] is None
    assert "Unsubscribe" not in part(received, "html")


def test_one_connection_is_kept_for_many_messages(sink, now):
    customers = [world.fan(now) for _ in range(60)]
    world.post(world.template(), now, *customers)

    assert outbox.deliver(now) == {"sent": 60}

    assert sink.connections == 1
    assert sorted(envelope.rcpt_tos[0] for envelope in sink.envelopes) == sorted(who.email for who in customers)


def test_a_refused_message_fails_with_the_servers_words_and_the_rest_is_sent(sink, now):
    refused, other = world.fan(now, email="full@example.com"), world.fan(now)
    world.post(world.template(), now, refused, other)
    sink.answers["full@example.com"] = "552 Mailbox is full"

    assert outbox.deliver(now) == {"failed": 1, "sent": 1}

    failed = world.message(customer=refused)
    assert (failed.status, failed.detail, failed.sent_at) == ("failed", "552 Mailbox is full", None)
    assert not Event.objects.filter(key=f"message_sent:{failed.pk}").exists()


def test_a_broken_line_makes_its_message_uncertain_and_the_rest_goes_over_a_new_one(sink, now):
    customers = [world.fan(now, email=f"c{number}@example.com") for number in range(4)]
    world.post(world.template(), now, *customers)
    sink.breaks_at = "c1@example.com"

    assert outbox.deliver(now) == {"sent": 3, "uncertain": 1}

    assert world.message(customer=customers[1]).status == "uncertain"
    assert sink.connections == 2
    assert "c1@example.com" not in [envelope.rcpt_tos[0] for envelope in sink.envelopes]


def test_without_a_mail_server_messages_stay_pending(settings, sink, now):
    who = world.fan(now)
    world.post(world.template(), now, who)
    settings.EMAIL_PORT = 1

    assert outbox.deliver(now) == {"returned": 1}

    message = Message.objects.get()
    assert (message.status, message.claimed_at) == ("pending", None)


def test_no_value_can_add_a_header(sink, now):
    who = world.fan(now, first_name="Ann\r\nBcc: spy@example.com", email="ann@example.com")
    world.post(world.template(subject="For {{ customer.first_name }}"), now, who)

    assert outbox.deliver(now) == {"sent": 1}

    received = message_from_bytes(sink.envelopes[0].content, policy=policy.default)
    assert received["Bcc"] is None
    assert received["Subject"] == "For Ann Bcc: spy@example.com"
    assert sink.envelopes[0].rcpt_tos == ["ann@example.com"]


def test_an_unsubscribe_engagement_is_recorded_once(client, now):
    who = world.fan(now)
    world.post(world.template(), now, who)
    outbox.deliver(now)
    path = urlsplit(links(Message.objects.get().pk)["unsubscribe"]).path

    for _ in range(3):
        assert client.post(path).status_code == 200

    assert Engagement.objects.filter(kind="unsubscribe").count() == 1
    assert Consent.objects.filter(status="opted_out").count() == 1
    assert Event.objects.filter(name="unsubscribed").count() == 1


@pytest.mark.parametrize("host", ["ü" * 60 + ".de", "\u200b.de", "\u06dd.de"])
def test_an_address_that_no_mail_server_knows_keeps_no_other_message_back(sink, now, host):
    lost, ann = world.fan(now, email=f"ann@{host}"), world.fan(now, email="ann@bücher.example")
    world.post(world.template(), now, lost, ann)

    assert outbox.deliver(now) == {"blocked": 1, "sent": 1}

    assert world.message(customer=lost).reason == "no_address"
    assert sink.envelopes[0].rcpt_tos == ["ann@xn--bcher-kva.example"]


def test_what_cannot_be_written_as_an_email_fails_and_keeps_no_other_message_back(sink, now, monkeypatch):
    first, second = world.fan(now), world.fan(now)
    world.post(world.template(), now, first, second)
    written = PersonalEmail.message

    def unwritable(email: PersonalEmail):
        if email.to == [first.email]:
            raise ValueError("no such sign in an e-mail")
        return written(email)

    monkeypatch.setattr(PersonalEmail, "message", unwritable)

    assert outbox.deliver(now) == {"failed": 1, "sent": 1}

    assert world.message(customer=first).detail == "no such sign in an e-mail"
    assert world.message(customer=second).status == "sent"


@pytest.mark.parametrize(
    ("filters", "unfit", "fit"), [("split: '-' | sum", "4-L", "4-2"), ("base64_decode", "/w==", "TA==")]
)
def test_a_value_that_does_not_fit_keeps_no_other_message_back(sink, now, filters, unfit, fit):
    odd, ann = world.fan(now, attributes={"size": unfit}), world.fan(now, attributes={"size": fit})
    content = f"{{{{ customer.attributes.size | {filters} }}}}"
    world.post(world.template(content), now, odd, ann)

    assert outbox.deliver(now) == {"blocked": 1, "sent": 1}

    message = world.message(customer=odd)
    assert message.reason == "render_error"
    assert message.detail.startswith("The template could not be filled in: a value does not fit what is done with it")


def test_attributes_in_deep_layers_keep_no_other_message_back(sink, now):
    attributes: dict = {}
    for _ in range(600):
        attributes = {"a": attributes}
    odd, ann = world.fan(now, attributes=attributes), world.fan(now)
    world.post(world.template(), now, odd, ann)

    assert outbox.deliver(now) == {"blocked": 1, "sent": 1}

    assert world.message(customer=odd).detail == "The template could not be filled in: a value is nested too deeply."


def test_only_their_owner_reads_the_messages_in_the_mailbox(mailbox, now):
    world.post(world.template(), now, world.fan(now))

    assert outbox.deliver(now) == {"sent": 1}

    assert mailbox.stat().st_mode & 0o777 == 0o700
