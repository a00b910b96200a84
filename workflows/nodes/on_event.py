from datetime import datetime

from django.db import models

from loyaltyflow.store.events import EventQuerySet
from loyaltyflow.store.models import EventType

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
