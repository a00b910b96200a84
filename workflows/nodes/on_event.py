from datetime import datetime

from django.db import models

from loyaltyflow.store.events import EventQuerySet
from loyaltyflow.store.models import Customer, Event, EventType
from loyaltyflow.store.templatetags.figures import moment
from loyaltyflow.words import drawn, strong
from segments.conditions.base import Explanation

from .base import Node


class OnEvent(Node):
    """Starts when something happens to a customer."""

    icon = "bolt"
    is_trigger = True

    event_type = models.ForeignKey(EventType, on_delete=models.PROTECT, related_name="+", verbose_name="event")

    class Meta:
        verbose_name = verbose_name_plural = "start: when something happens"

    def summary(self) -> str:
        return f"When this happens: {self.event_type.label}"

    def starters(self, events: EventQuerySet, now: datetime) -> EventQuerySet:
        return events.named(self.event_type.name)

    def explained(self, customer: Customer, since: datetime, now: datetime) -> Explanation:
        """Whether it has happened to the customer since the workflow is live."""
        happened = Event.objects.named(self.event_type.name).up_to(now).filter(customer=customer)
        last = happened.order_by("-occurred_at", "-pk").first()
        sentence = drawn(f"This has happened since {moment(since)}: {strong(self.event_type.label)}")
        seen = f"last {moment(last.occurred_at)}" if last else "it never happened"
        return Explanation(sentence, last is not None and last.occurred_at >= since, seen)
