from django.db import models
from django.db.models.functions import Now

from loyaltyflow.store.models import Channel

from .emails import Link
from .messages import Message


class Engagement(models.Model):
    """One thing a customer did with a message; rows are only added."""

    class Kind(models.TextChoices):
        OPEN = "open", "Opened"
        CLICK = "click", "Clicked"
        UNSUBSCRIBE = "unsubscribe", "Unsubscribed"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="engagements", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    at = models.DateTimeField(db_default=Now())
    link = models.ForeignKey(Link, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    is_machine = models.BooleanField(default=False, db_default=False, help_text="By a mail scanner or privacy proxy.")
    is_demo = models.BooleanField(
        default=False, db_default=False, help_text="Drawn at a stated rate for the demo store."
    )

    class Meta:
        indexes = [
            models.Index(fields=["message", "kind", "at"], name="engagement_by_message"),
            models.Index(fields=["kind", "at"], name="engagement_by_time"),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


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
        constraints = [models.UniqueConstraint(fields=["channel", "address"], name="one_suppression_per_address")]

    def __str__(self) -> str:
        return self.address
