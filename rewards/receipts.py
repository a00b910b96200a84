from django.conf import settings
from django.db import models

from loyaltyflow.store.models import Order


class Receipt(models.Model):
    """What a till was told when it sent a purchase, so that it is told the same when it sends it again."""

    order = models.OneToOneField(Order, on_delete=models.CASCADE, primary_key=True, related_name="receipt")
    asked = models.CharField(max_length=64, help_text="SHA-256 of what was asked.")
    told = models.JSONField(help_text="Lines, codes, totals and what it earns.")
    till = models.CharField(max_length=60, blank=True, default="", db_default="")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="Who sold, at the Till page; tills of other makers do not say.",
    )

    def __str__(self) -> str:
        return f"Receipt of {self.order}"
