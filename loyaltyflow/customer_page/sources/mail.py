from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import moment
from messaging.models import Engagement, Message

from .base import Source, Told, joined, link

# What became of a message, as it stands before its name.
SAID = {
    Message.Status.PENDING: "To be sent:",
    Message.Status.SENDING: "On its way:",
    Message.Status.SENT: "Sent",
    Message.Status.DELIVERED: "Sent",
    Message.Status.BOUNCED: "Came back:",
    Message.Status.FAILED: "Could not be sent:",
    Message.Status.UNCERTAIN: "Perhaps sent:",
    Message.Status.BLOCKED: "Not sent:",
}
ICONS = {Engagement.Kind.OPEN: "drafts", Engagement.Kind.CLICK: "ads_click", Engagement.Kind.UNSUBSCRIBE: "unsubscribe"}


class Wrote(Source):
    """A message, when it was sent or, if it was not, written."""

    group, permission = "messages", "messaging.view_message"
    at = Coalesce("sent_at", "created_at")

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Message.objects.filter(customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        messages = Message.objects.filter(pk__any=numbers).select_related("campaign", "template")
        return {each.pk: self._told(each) for each in messages}

    def _told(self, message: Message) -> Told:
        is_sent = message.sent_at is not None
        due = f"due {moment(message.due_at)}" if message.status == Message.Status.PENDING else ""
        state = "delivered" if message.status == Message.Status.DELIVERED else ""
        more = joined(str(message.campaign), message.get_channel_display(), message.get_reason_display(), due, state)
        icon = "forward_to_inbox" if is_sent else "block" if message.reason else "schedule_send"
        return Told(icon, f"{SAID[Message.Status(message.status)]} {called(message)}", more, link=link(message))


class Answered(Source):
    """What the customer did with a message."""

    group, permission, at = "messages", "messaging.view_message", "at"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Engagement.objects.filter(message__customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        acts = Engagement.objects.filter(pk__any=numbers)
        found = acts.select_related("message__campaign", "message__template", "link")
        return {each.pk: self._told(each) for each in found}

    def _told(self, act: Engagement) -> Told:
        kind = Engagement.Kind(act.kind)
        by = "by a mail scanner or privacy proxy" if act.is_machine else ""
        more = joined(str(act.message.campaign), act.link.url if act.link else "", by)
        return Told(ICONS[kind], f"{kind.label} {called(act.message)}", more, link=link(act.message))


def called(message: Message) -> str:
    """The message between quotation marks, by its subject or, before it was sent, its template."""
    return f"“{message.subject or message.template.name}”"
