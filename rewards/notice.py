from datetime import UTC, datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from messaging.models import Message

from .points import Entry

EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Notice(models.Model):
    """That the customer was told of a movement of points, or why they could not be."""

    class Exemption(models.TextChoices):
        NO_ADDRESS = "no_address", "No address is known"
        SUPPRESSED = "suppressed", "The address is blocked"
        NOT_SENT = "not_sent", "The message could not be sent"
        BROUGHT = "brought", "Brought from another system"
        MERGED = "merged", "The customer turned out to be another one, who is told what came over"

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, primary_key=True, related_name="notice")
    message = models.ForeignKey(
        Message, on_delete=models.PROTECT, null=True, blank=True, related_name="notices", help_text="Which tells of it."
    )
    exemption = models.CharField(max_length=12, choices=Exemption.choices, blank=True, default="", db_default="")
    is_settled = models.BooleanField(default=False, db_default=False, help_text="It is known what became of it.")
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(message__isnull=False) | ~Q(exemption=""), name="a_notice_is_a_message_or_an_exemption"
            )
        ]
        indexes = [models.Index(fields=["message"], name="notice_under_way", condition=Q(is_settled=False))]

    def __str__(self) -> str:
        return self.get_exemption_display() or str(self.message)


class NoticeProgress(models.Model):
    """Since when customers are told of their points, and up to which entry all of them were."""

    since = models.DateTimeField(default=EVER, help_text="Earlier movements are exempt: nobody was told then.")
    entry = models.BigIntegerField(default=0, help_text="Entries of lower numbers need not be looked at again.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="there_is_one_progress_of_notices")]

    def __str__(self) -> str:
        return f"Up to entry {self.entry}"

    @classmethod
    def load(cls) -> "NoticeProgress":
        """The one row, made if it is not there yet."""
        return cls.objects.get_or_create(pk=1)[0]
