from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q

from loyaltyflow.store.models import Customer, Order
from loyaltyflow.words import number, strong
from segments.conditions import Condition

from .since_step import SinceStep


class BoughtSince(SinceStep, Condition):
    """Has bought, or has not, since an earlier step of this workflow; since its start means since entering."""

    icon = "shopping_bag"
    shelf = "This workflow"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"step": "Send the offer"},
        {"step": "Send the offer", "has_bought": False},
        {"step": "Start"},
    ]
    asked_of_segments = False

    has_bought = models.BooleanField("did buy", default=True, help_text="Off: holds for those who did not.")

    def q(self, now: datetime) -> Q:
        bought = Exists(self._purchases(now))
        return Q(Exists(self.visits(OuterRef("pk")).filter(bought if self.has_bought else ~bought)))

    def flips(self, now: datetime) -> None:
        return None

    def phrase(self) -> str:
        return f"{'bought' if self.has_bought else strong('did not buy')} {self.since()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        visit = self.visits(customer.pk).first()
        if visit is None:
            return "has not come to the step"
        count = customer.orders.purchases(now).filter(completed_at__gt=visit.left_at).count()
        return f"{number(count, 'purchase')} since"

    @staticmethod
    def _purchases(now: datetime) -> models.QuerySet[Order]:
        since = Order.objects.purchases(now).filter(completed_at__gt=OuterRef("left_at"))
        return since.filter(customer=OuterRef("enrolment__customer"))
