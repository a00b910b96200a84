"""Messages that customers get and what they do with them; addresses that are blocked and freed again."""

from datetime import datetime
from random import Random

from loyaltyflow.store.models import Customer
from messaging.conditions import MessageEngagement
from messaging.models import Campaign, EmailTemplate, Engagement, Message, Suppression

from . import aimed_at, furnishing, happening, numbers, some_moment
from .world import makes


@makes(EmailTemplate)
def template(name: str) -> EmailTemplate:
    body = "<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section></mj-body></mjml>"
    return EmailTemplate.objects.create(name=name, subject="Hello", body=body)


@furnishing
def something_to_send() -> None:
    if not Campaign.objects.filter(name="News").exists():
        Campaign.objects.create(name="News")
        template("News")


@happening
def get_message(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    sent = chance.choice([min(at, now), min(at, now), None])
    made = Message.objects.create(
        campaign=chance.choice(Campaign.objects.order_by("pk")),
        customer=customer,
        template=chance.choice(EmailTemplate.objects.order_by("pk")),
        channel="email",
        category="marketing",
        origin="history",
        visit=next(numbers),
        due_at=min(at, now),
        status="sent" if sent else "blocked",
        sent_at=sent,
    )
    Message.tell_sent([made.pk])


@happening
def open_or_click(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    got = list(Message.objects.filter(customer=customer, sent_at__isnull=False).order_by("pk"))
    if got:
        message = chance.choice(got)
        kind, machine = chance.choice(["open", "click"]), chance.random() < 0.3
        when = max(min(at, now), message.sent_at or now)
        Engagement.record([Engagement(message=message, kind=kind, at=when, is_machine=machine)])


@aimed_at(MessageEngagement)
def get_and_open(chance: Random, customer: Customer, condition: MessageEngagement, now: datetime) -> None:
    at = some_moment(chance, now)
    get_message(chance, customer, at, now)
    open_or_click(chance, customer, at, now)


@happening
def block_or_free(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    email = Customer.objects.values_list("email", flat=True).get(pk=customer.pk)
    if email and chance.random() < 0.6:
        Suppression.objects.block([email], "email", "staff", min(at, now))
    else:
        Suppression.objects.filter(channel="email", address=email.lower()).unblock(now)
