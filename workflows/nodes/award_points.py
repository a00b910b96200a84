from django.core.validators import MinValueValidator
from django.db import models

from .base import Node


class AwardPoints(Node):
    """Gives the customer points."""

    icon = "stars"

    points = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    explanation = models.CharField(
        max_length=200, default="A thank-you from us", help_text="Why, as the customer reads it."
    )
