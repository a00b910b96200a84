from django.db import models

from .base import Condition


class InSegment(Condition):
    """Is in another segment."""

    other = models.ForeignKey(
        "segments.Segment", on_delete=models.PROTECT, related_name="asked_by", verbose_name="segment"
    )
