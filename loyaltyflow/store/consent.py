from datetime import datetime

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from .customers import Customer


class Channel(models.TextChoices):
    EMAIL = "email", "E-mail"
    SMS = "sms", "SMS"
    PUSH = "push", "Mobile push"
    WEB_PUSH = "web_push", "Web push"
    ADS = "ads", "Ad audiences"


class ConsentQuerySet(models.QuerySet["Consent"]):
    def standing(self, channel: str, status: str, now: datetime | None = None) -> "ConsentQuerySet":
        """The rows that are the last word, up to `now`, of a customer (`OuterRef("pk")`) on a channel and say `status`.

        Without `now` the last word of all: what a sender must obey.
        """
        until = Q() if now is None else Q(given_at__lte=now)
        later = Consent.objects.filter(
            until,
            Q(given_at__gt=OuterRef("given_at")) | Q(given_at=OuterRef("given_at"), pk__gt=OuterRef("pk")),
            customer=OuterRef("customer"),
            channel=channel,
        )
        return self.filter(until, channel=channel, status=status).exclude(Exists(later))


class Consent(models.Model):
    """One word of a customer on one channel; rows are only added, and the latest is the one that counts."""

    class Status(models.TextChoices):
        UNKNOWN = "unknown", "Unknown"
        PENDING = "pending", "Asked, not confirmed"
        OPTED_IN = "opted_in", "Opted in"
        OPTED_OUT = "opted_out", "Opted out"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consents", db_index=False)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    status = models.CharField(max_length=10, choices=Status.choices)
    source = models.CharField(
        max_length=60, help_text="Where it was given, such as import, sign-up form, unsubscribe link."
    )
    proof = models.TextField(blank=True, help_text="What shows it: the form's text, an address, a message.")
    given_at = models.DateTimeField(db_default=Now())

    objects = ConsentQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "consents"
        indexes = [models.Index(fields=["customer", "channel", "-given_at", "-id"], name="consent_latest")]

    def __str__(self) -> str:
        return f"{self.get_channel_display()}: {self.get_status_display()}"
