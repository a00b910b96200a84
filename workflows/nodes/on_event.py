from django.db import models

from loyaltyflow.store.models import EventType

from .base import Node


class OnEvent(Node):
    """Starts when something happens to a customer."""

    icon = "bolt"
    is_trigger = True

    event_type = models.ForeignKey(EventType, on_delete=models.PROTECT, related_name="+")
