from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q

from loyaltyflow.store.models import Customer
from loyaltyflow.words import strong
from messaging.models import Message
from segments.conditions import Condition

from ..enrolments import Enrolment


class GotMessage(Condition):
    """Has received the e-mail of an earlier step of this workflow."""

    icon = "mark_email_read"
    shelf = "This workflow"
    examples: ClassVar[list[dict[str, Any]]] = [{"step": "Send the offer"}]
    asked_of_segments = False

    step = models.ForeignKey("workflows.SendEmail", on_delete=models.PROTECT, related_name="+")

    def q(self, now: datetime) -> Q:
        under_way = Enrolment.objects.active().filter(pk=OuterRef("visit"))
        received = [Message.Status.SENT, Message.Status.DELIVERED]
        messages = Message.objects.filter(
            Exists(under_way), origin=f"node:{self.step_id}", customer=OuterRef("pk"), status__in=received
        )
        return Q(Exists(messages.filter(sent_at__lte=now)))

    def flips(self, now: datetime) -> None:
        return None

    def phrase(self) -> str:
        return f"got “{strong(self.step.label)}”"

    def seen(self, customer: Customer, now: datetime) -> str:
        message = customer.messages.filter(origin=f"node:{self.step_id}").order_by("-visit").first()
        return f"the message is {message.get_status_display().lower()}" if message else "no message"
