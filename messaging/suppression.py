from django.db import models
from django.db.models.functions import Now

from loyaltyflow.store.models import Channel


class Suppression(models.Model):
    """An address that is never written to again, because it bounced or its owner complained."""

    class Reason(models.TextChoices):
        HARD_BOUNCE = "hard_bounce", "The address does not exist"
        COMPLAINT = "complaint", "Reported as spam"
        STAFF = "staff", "Entered by staff"

    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.EMAIL)
    address = models.CharField(max_length=254, help_text="In small letters.")
    reason = models.CharField(max_length=12, choices=Reason.choices, default=Reason.STAFF)
    added_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "blocked address"
        verbose_name_plural = "blocked addresses"
        constraints = [models.UniqueConstraint(fields=["channel", "address"], name="one_suppression_per_address")]

    def __str__(self) -> str:
        return self.address

    def clean(self) -> None:
        """Keep addresses in small letters, as they are compared."""
        self.address = self.address.strip().lower()
