from django.db import models

from segments.conditions import Condition

from .base import Node


class If(Node):
    """Sends customers one way if a condition holds, the other way if not."""

    icon = "alt_route"
    outlets = ("yes", "no")

    condition = models.OneToOneField(Condition, on_delete=models.PROTECT, related_name="+")
