from django.core.validators import MinValueValidator
from django.db import models

from .base import Node


class Wait(Node):
    """Waits, then goes on."""

    icon = "schedule"

    class Unit(models.TextChoices):
        MINUTES = "minutes", "minutes"
        HOURS = "hours", "hours"
        DAYS = "days", "days"
        WEEKS = "weeks", "weeks"
        MONTHS = "months", "months"

    amount = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    unit = models.CharField(max_length=8, choices=Unit.choices, default=Unit.DAYS)
