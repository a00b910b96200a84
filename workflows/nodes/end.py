from django.db import models

from .base import Node


class End(Node):
    """The end of the way."""

    icon = "flag"
    outlets = ()

    outcome = models.CharField(max_length=60, default="Completed", help_text="What it means to end here.")
