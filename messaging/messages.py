from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from loyaltyflow.store.models import Channel, Customer

from .campaigns import Campaign
from .emails import Category, EmailTemplate


class MessageQuerySet(models.QuerySet["Message"]):
    def due(self, now: datetime) -> "MessageQuerySet":
        """Pending messages whose time has come."""
        return self.filter(status=Message.Status.PENDING, due_at__lte=now)

    def went_out(self) -> "MessageQuerySet":
        """Accepted by the provider, whatever became of them after."""
        return self.filter(sent_at__isnull=False)


class Message(models.Model):
    """One message to one customer: the outbox before it is sent, the log ever after."""

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        DELIVERED = "delivered", "Delivered"
        BOUNCED = "bounced", "Bounced"
        FAILED = "failed", "Failed"
        UNCERTAIN = "uncertain", "Uncertain"
        BLOCKED = "blocked", "Blocked"

    class Reason(models.TextChoices):
        OPTED_OUT = "opted_out", "Opted out"
        NO_CONSENT = "no_consent", "Has not opted in"
        NO_ADDRESS = "no_address", "No address"
        SUPPRESSED = "suppressed", "Address is suppressed"
        RENDER_ERROR = "render_error", "The template could not be filled in"
        STOPPED = "stopped", "Stopped by staff"

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="messages", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="messages", db_index=False)
    template = models.ForeignKey(EmailTemplate, on_delete=models.PROTECT, related_name="messages")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    category = models.CharField(max_length=10, choices=Category.choices)
    origin = models.CharField(max_length=40, help_text="What asked for it, such as node:12.")
    visit = models.BigIntegerField(help_text="Which time the customer came there, such as the enrolment's number.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING, db_default=Status.PENDING)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True, default="", db_default="")
    detail = models.TextField(
        blank=True, default="", db_default="", help_text="The provider's or the error's own words."
    )
    values = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="What the origin adds to the variables."
    )
    address = models.CharField(max_length=254, blank=True, default="", db_default="")
    subject = models.CharField(max_length=400, blank=True, default="", db_default="")
    provider_id = models.CharField(max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["origin", "customer", "visit"], name="one_message_per_origin_and_visit")
        ]
        indexes = [
            models.Index(fields=["due_at"], name="message_pending", condition=Q(status="pending")),
            models.Index(fields=["claimed_at"], name="message_sending", condition=Q(status="sending")),
            models.Index(fields=["customer", "created_at"], name="message_by_customer"),
            models.Index(fields=["campaign", "sent_at"], name="message_by_campaign"),
            models.Index(fields=["sent_at"], name="message_by_sending"),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} to {self.customer}"
