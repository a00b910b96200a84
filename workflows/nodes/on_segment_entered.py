from django.db import models

from segments.models import Segment

from .base import Node


class OnSegmentEntered(Node):
    """Starts when a customer enters a segment."""

    icon = "filter_alt"
    is_trigger = True

    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="triggers")
    exit_on_leave = models.BooleanField(
        "stop when they leave it", default=True, help_text="Customers who fall out of the segment leave the workflow."
    )
