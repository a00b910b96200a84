"""Messages and what customers did with them, as the outbox and the tracking pages leave them behind."""

from datetime import datetime
from typing import Any

from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Customer
from messaging.models import Campaign, EmailTemplate, Engagement, Message
from tests.factories import _numbers

BODY = "<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section></mj-body></mjml>"


def message(who: Customer, at: datetime | None, campaign: Campaign | None = None, **fields: Any) -> Message:
    """A message sent at the given time, and the event that says so."""
    campaign = campaign or Campaign.objects.get_or_create(name="Winback")[0]
    template = EmailTemplate.objects.get_or_create(name="Come back", defaults={"subject": "Hello", "body": BODY})[0]
    known = {
        "channel": "email",
        "category": "marketing",
        "origin": "node:1",
        "visit": next(_numbers),
        "status": "sent" if at else "pending",
        "due_at": at,
        "sent_at": at,
        **fields,
    }
    made = Message.objects.create(customer=who, campaign=campaign, template=template, **known)
    if made.sent_at:
        happened("message_sent", who.pk, made.sent_at, f"message_sent:{made.pk}", message=made.pk)
    return made


def engaged(what: Message, kind: str, at: datetime, **fields: Any) -> Engagement:
    """An open or a click, and the event that says so."""
    made = Engagement.objects.create(message=what, kind=kind, at=at, **fields)
    names = {"open": "message_opened", "click": "message_clicked", "unsubscribe": "unsubscribed"}
    name = names[kind]
    happened(name, what.customer_id, at, f"{name}:{made.pk}", message=what.pk)
    return made
