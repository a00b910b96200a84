from django.db import models

from messaging.models import EmailTemplate

from .base import Node


class SendEmail(Node):
    """Sends an e-mail."""

    icon = "mail"

    template = models.ForeignKey(EmailTemplate, on_delete=models.PROTECT, related_name="nodes")
