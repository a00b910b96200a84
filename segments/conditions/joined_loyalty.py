from django.db import models

from .base import Condition


class JoinedLoyalty(Condition):
    """Belongs to the loyalty programme."""

    window_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Joined in the last so many days. Empty: ever."
    )
