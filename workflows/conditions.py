"""Conditions about what a customer's own walk through the workflow has brought so far."""

from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q

from loyaltyflow.store.models import Customer, Order
from messaging.models import Message
from segments.conditions import Condition

from .enrolments import Enrolment, Step


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
        return f"got “{self.step.label}”"

    def seen(self, customer: Customer, now: datetime) -> str:
        message = customer.messages.filter(origin=f"node:{self.step_id}").order_by("-visit").first()
        return f"the message is {message.get_status_display().lower()}" if message else "no message"


class BoughtSince(Condition):
    """Has bought, or has not, since an earlier step of this workflow; since its start means since entering."""

    icon = "shopping_bag"
    shelf = "This workflow"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"step": "Send the offer"},
        {"step": "Send the offer", "has_bought": False},
    ]
    asked_of_segments = False

    step = models.ForeignKey(
        "workflows.Node",
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Purchases after the customer left this step count. The start of the workflow: since entering it.",
    )

    has_bought = models.BooleanField("did buy", default=True, help_text="Off: holds for those who did not.")

    def q(self, now: datetime) -> Q:
        bought = Exists(self._purchases(now))
        return Q(Exists(self._visits(OuterRef("pk")).filter(bought if self.has_bought else ~bought)))

    def flips(self, now: datetime) -> None:
        return None

    def phrase(self) -> str:
        since = "entering" if self.step.is_trigger else f"“{self.step.label}”"
        return f"{'bought' if self.has_bought else 'did not buy'} since {since}"

    def seen(self, customer: Customer, now: datetime) -> str:
        visit = self._visits(customer.pk).first()
        if visit is None:
            return "has not come to the step"
        count = customer.orders.purchases(now).filter(completed_at__gt=visit.left_at).count()
        return f"{count:,} purchase{'' if count == 1 else 's'} since"

    def _visits(self, customer: Any) -> models.QuerySet[Step]:
        active = Enrolment.Status.ACTIVE
        return Step.objects.filter(node=self.step_id, enrolment__customer=customer, enrolment__status=active)

    @staticmethod
    def _purchases(now: datetime) -> models.QuerySet[Order]:
        since = Order.objects.purchases(now).filter(completed_at__gt=OuterRef("left_at"))
        return since.filter(customer=OuterRef("enrolment__customer"))
