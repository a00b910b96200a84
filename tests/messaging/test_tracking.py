from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from loyaltyflow.store.models import Consent, Event
from messaging import outbox
from messaging.models import Engagement, Link, Message
from messaging.render import links
from messaging.tokens import message_of, token
from tests import factories

from . import world

pytestmark = pytest.mark.django_db
PERSON = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15"}


@pytest.fixture
def message() -> Message:
    """A message that went out an hour ago."""
    sent_at = timezone.now() - timedelta(hours=1)
    who = world.fan(sent_at, first_name="Ann & Co", email="ann@example.com")
    world.post(world.template(), sent_at, who)
    assert outbox.deliver(sent_at) == {"sent": 1}
    return Message.objects.get()


def path(message: Message, name: str) -> str:
    return urlsplit(links(message.pk)[name]).path


def test_an_open_is_recorded_with_its_event(client, message):
    answer = client.get(path(message, "open"), headers=PERSON)

    assert (answer.status_code, answer["Content-Type"]) == (200, "image/gif")
    assert "no-store" in answer["Cache-Control"]
    act = Engagement.objects.get()
    assert (act.message_id, act.kind, act.is_machine) == (message.pk, "open", False)
    event = Event.objects.get(name="message_opened")
    assert (event.key, event.customer_id) == (f"message_opened:{act.pk}", message.customer_id)
    assert event.properties == {"message": message.pk, "campaign": message.campaign_id, "is_machine": False}


def test_a_click_leads_to_the_authored_address(client, message):
    link = Link.objects.get()
    answer = client.get(f"{path(message, 'click')}{link.pk}", headers=PERSON)

    assert answer.status_code == 302
    assert answer["Location"] == "https://shop.example.com/new?who=Ann%20%26%20Co"
    act = Engagement.objects.get()
    assert (act.kind, act.link_id, act.is_machine) == ("click", link.pk, False)
    assert Event.objects.get(name="message_clicked").key == f"message_clicked:{act.pk}"


@pytest.mark.parametrize(
    "name", ["@evil.example/", "/../..//evil.example", "\\\\evil.example", "?x=1#y", "https://evil.example"]
)
def test_no_value_leads_elsewhere(client, message, name):
    message.customer.first_name = name
    message.customer.save()
    template = world.template('<a href="https://a.example/{{ customer.first_name }}">x</a>')
    Message.objects.update(template=template)
    link = Link.objects.get(url__startswith="https://a.example/")

    answer = client.get(f"{path(message, 'click')}{link.pk}", headers=PERSON)

    target = urlsplit(answer["Location"])
    assert (target.scheme, target.netloc, target.query, target.fragment) == ("https", "a.example", "", "")


def test_a_click_whose_value_is_gone_leads_to_the_host(client, message):
    template = world.service('<a href="https://a.example/p?sku={{ message.sku }}">x</a>')
    Message.objects.update(template=template)
    link = Link.objects.get(url__startswith="https://a.example/")

    assert client.get(f"{path(message, 'click')}{link.pk}", headers=PERSON)["Location"] == "https://a.example/"


def test_a_link_of_another_template_leads_nowhere(client, message):
    other = Link.objects.create(template=world.template(), url="https://evil.example/")

    assert client.get(f"{path(message, 'click')}{other.pk}", headers=PERSON).status_code == 404
    assert not Engagement.objects.exists()


def test_head_requests_count_for_nothing(client, message):
    assert client.head(path(message, "open")).status_code == 200
    assert client.head(f"{path(message, 'click')}{Link.objects.get().pk}").status_code == 302
    assert client.head(path(message, "unsubscribe")).status_code == 200

    assert not Engagement.objects.exists()


@pytest.mark.parametrize(
    "agent", ["", "Barracuda Sentinel", "Mimecast-URL-Scanner", "python-requests/2.32", "Googlebot/2.1"]
)
def test_a_scanner_is_a_machine(client, message, agent):
    client.get(f"{path(message, 'click')}{Link.objects.get().pk}", headers={"User-Agent": agent})

    assert Engagement.objects.get().is_machine


def test_a_click_faster_than_people_is_by_a_machine(client, message):
    Message.objects.update(sent_at=timezone.now() - timedelta(seconds=1))
    client.get(f"{path(message, 'click')}{Link.objects.get().pk}", headers=PERSON)

    assert Engagement.objects.get().is_machine


@pytest.mark.parametrize("name", ["open", "click", "unsubscribe"])
@pytest.mark.parametrize(
    "change", [lambda t: t[:-1] + "A" if t[-1] != "A" else t[:-1] + "B", lambda t: "9" + t, lambda t: t[:5]]
)
def test_a_forged_token_changes_nothing(client, message, name, change):
    forged = path(message, name).replace(token(message.pk), change(token(message.pk)))
    forged = f"{forged}{Link.objects.get().pk}" if name == "click" else forged

    answers = [client.get(forged)] + ([client.post(forged)] if name == "unsubscribe" else [])

    for answer in answers:
        assert answer.status_code == 404
        assert "This link does not work" in answer.content.decode()
    assert not Engagement.objects.exists()
    assert Consent.objects.count() == 1


@pytest.mark.parametrize("cut", ["/t/c/12.abc", "/t/c/12.abc/", "/t/c/12.abc/-1", "/t/u/", "/t/x"])
def test_a_link_that_was_cut_on_its_way_says_so_to_the_customer(client, cut):
    answer = client.get(cut)

    assert answer.status_code == 404
    assert "This link does not work" in answer.content.decode()


@pytest.mark.parametrize("text", ["", ".", "1", "1.", "-1.x", "٣.x", "1.é", "9" * 30 + ".x", "1." + "A" * 500])
def test_what_is_no_token_is_of_no_message(text):
    assert message_of(text) is None


def test_tokens_outlive_a_change_of_the_key(settings):
    old = token(7)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another key"

    assert message_of(old) == 7
    assert token(7) != old


def test_looking_at_the_unsubscribe_page_changes_nothing(client, message):
    page = client.get(path(message, "unsubscribe"))

    assert page.status_code == 200
    assert "Stop e-mail from My store?" in page.content.decode()
    assert "a…@example.com" in page.content.decode()
    assert not Engagement.objects.exists()
    assert Consent.objects.get().status == "opted_in"


def test_the_pages_button_opts_out_without_a_cookie(message):
    client = Client(enforce_csrf_checks=True)
    page = client.post(path(message, "unsubscribe"))

    assert "You are unsubscribed" in page.content.decode()
    word = Consent.objects.latest("given_at", "pk")
    assert (word.status, word.source) == ("opted_out", "unsubscribe link")
    event = Event.objects.get(name="unsubscribed")
    assert (event.key, event.properties) == (f"unsubscribed:{word.pk}", {"message": message.pk, "channel": "email"})


def test_who_opts_in_again_can_opt_out_again(client, message):
    client.post(path(message, "unsubscribe"))
    factories.consent(message.customer, timezone.now() + timedelta(hours=1))
    client.post(path(message, "unsubscribe"))

    word = Consent.objects.order_by("-given_at", "-pk").first()
    assert word is not None
    assert word.status == "opted_out"
    assert Event.objects.get(key=f"unsubscribed:{word.pk}").occurred_at == word.given_at
    assert Consent.objects.filter(status="opted_out").count() == 2
