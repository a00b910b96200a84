import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from messaging import outbox
from messaging.models import Engagement, Link, Message, Suppression

from . import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client) -> User:
    user = User.objects.create_superuser("staff", "staff@example.com", "secret")
    client.force_login(user)
    return user


def fill(count: int, now) -> None:
    template = world.template()
    customers = [world.fan(now, first_name="Ann") for _ in range(count)]
    world.post(template, now, *customers)
    outbox.deliver(now)
    link = Link.objects.filter(template=template).get()
    sent = Message.objects.filter(template=template)
    Engagement.record([Engagement(message=each, kind="click", at=now, link=link) for each in sent])
    Suppression.objects.bulk_create([Suppression(address=f"s{each.pk}@example.com") for each in sent])


@pytest.mark.parametrize("name", ["campaign", "emailtemplate", "message", "engagement", "suppression"])
def test_a_list_takes_the_same_number_of_statements_however_long(client, staff, now, name):
    address = reverse(f"admin:messaging_{name}_changelist")
    fill(2, now)
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        assert client.get(address).status_code == 200
    fill(12, now)
    with CaptureQueriesContext(connection) as many:
        assert client.get(address).status_code == 200

    assert len(many) == len(few)


@pytest.mark.parametrize("name", ["campaign", "emailtemplate", "suppression"])
def test_forms_open(client, staff, name):
    assert client.get(reverse(f"admin:messaging_{name}_add")).status_code == 200


def test_a_template_with_a_mistake_is_refused_with_its_line(client, staff):
    body = world.BODY.format(content="{{ customer.nme }}")
    form = {"name": "x", "category": "marketing", "subject": "x", "preview": "", "body": body}
    page = client.post(reverse("admin:messaging_emailtemplate_add"), form).content.decode()

    assert "Body, line 2: “customer.nme” is not known." in page


def test_a_template_shows_itself_filled_in(client, staff, now):
    world.fan(now, first_name="<b>Ann</b>")
    template = world.template("{{ customer.first_name }} {{ message.points }}", subject="For {{ customer.first_name }}")
    page = client.get(reverse("admin:messaging_emailtemplate_change", args=[template.pk])).content.decode()
    assert "For &lt;b&gt;Ann&lt;/b&gt;" in page
    assert "{{ customer.first_name }}" in page

    sample = client.get(reverse("admin:messaging_emailtemplate_sample", args=[template.pk]))
    assert "Hello &lt;b&gt;Ann&lt;/b&gt; [points]" in sample.content.decode()
    assert sample["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert sample["X-Frame-Options"] == "SAMEORIGIN"


def test_a_message_shows_what_was_sent_and_looking_at_it_counts_for_nothing(client, staff, now):
    fill(1, now)
    message = Message.objects.get()
    Engagement.objects.all().delete()
    page = client.get(reverse("admin:messaging_message_change", args=[message.pk])).content.decode()
    assert f'src="/messaging/message/{message.pk}/body/"' in page
    assert "Not kept here" not in page

    body = client.get(reverse("admin:messaging_message_body", args=[message.pk]))
    assert "Hello there" in body.content.decode()
    assert f"/{message.pk}." not in body.content.decode()
    assert 'src="data:,"' in body.content.decode()
    assert "script" not in body["Content-Security-Policy"]


def test_a_message_that_is_not_kept_shows_the_template(client, staff, now, mailbox):
    fill(1, now)
    message = Message.objects.get()
    (mailbox / f"{message.pk}.eml").unlink()

    assert "Not kept here" in client.get(reverse("admin:messaging_message_change", args=[message.pk])).content.decode()
    assert "Hello there" in client.get(reverse("admin:messaging_message_body", args=[message.pk])).content.decode()


def test_strangers_see_no_message(client, now):
    fill(1, now)
    assert client.get(reverse("admin:messaging_message_body", args=[Message.objects.get().pk])).status_code == 302


def test_messages_cannot_be_edited(client, staff, now):
    fill(1, now)
    message = Message.objects.get()
    answer = client.post(reverse("admin:messaging_message_change", args=[message.pk]), {"status": "pending"})

    assert answer.status_code == 403
    assert client.get(reverse("admin:messaging_message_add")).status_code == 403
    assert Message.objects.get().status == "sent"


@pytest.mark.parametrize(("name", "status"), [("send_again", "pending"), ("count_as_sent", "sent")])
def test_staff_decide_on_uncertain_messages(client, staff, now, name, status):
    fill(2, now)
    uncertain, sent = Message.objects.order_by("pk")
    Message.objects.filter(pk=uncertain.pk).update(status="uncertain", sent_at=None)

    form = {"action": name, "_selected_action": [uncertain.pk, sent.pk]}
    page = client.post(reverse("admin:messaging_message_changelist"), form, follow=True)

    assert "1 uncertain messages" in page.content.decode()
    assert Message.objects.get(pk=uncertain.pk).status == status
    assert Message.objects.get(pk=sent.pk).status == "sent"


def test_an_address_is_suppressed_in_small_letters(client, staff):
    client.post(
        reverse("admin:messaging_suppression_add"), {"channel": "email", "address": "A@B.Example", "reason": "staff"}
    )

    assert Suppression.objects.get().address == "a@b.example"
