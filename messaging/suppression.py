from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connections, models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from loyaltyflow.store.models import Channel

# Each customer who has such an address is told of in the feed; the key keeps one change from being told twice.
TELL = """
WITH owners AS (
    SELECT s.*, c.id AS customer FROM messaging_suppression s
    JOIN store_customer c ON lower(c.email) = s.address AND c.email <> ''
    WHERE s.channel = 'email' AND s.id = ANY(%(ids)s)
    UNION ALL
    SELECT s.*, c.id FROM messaging_suppression s JOIN store_customer c ON c.phone = s.address
    WHERE s.channel = 'sms' AND s.id = ANY(%(ids)s)
)
INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT %(name)s, customer, coalesce(%(at)s::timestamptz, added_at), 'messaging',
    %(name)s || ':' || id || ':' || customer, jsonb_build_object('channel', channel, 'reason', reason)
FROM owners
ON CONFLICT DO NOTHING
"""


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    @transaction.atomic
    def block(self, addresses: Iterable[str], channel: str, reason: str, at: datetime) -> int:
        """How many customers cannot be written to any more since `at`; each is an event."""
        known = sorted({address.strip().lower() for address in addresses})
        rows = [Suppression(channel=channel, address=each, reason=reason, added_at=at) for each in known]
        self.bulk_create(rows, ignore_conflicts=True)
        return self.filter(channel=channel, address__in=known).tell("address_blocked")

    @transaction.atomic
    def unblock(self, at: datetime) -> int:
        """How many customers can be written to again from `at` on; each is an event."""
        told = self.tell("address_unblocked", at)
        super().delete()
        return told

    def delete(self) -> tuple[int, dict[str, int]]:
        """As `unblock`, now."""
        with transaction.atomic():
            self.tell("address_unblocked", timezone.now())
            return super().delete()

    def tell(self, name: str, at: datetime | None = None) -> int:
        """The number of events that were news: one for each customer with such an address, by default when blocked."""
        ids = list(self.values_list("pk", flat=True))
        with connections[self.db].cursor() as cursor:
            cursor.execute(TELL, {"ids": ids, "name": name, "at": at})
            return int(cursor.rowcount)


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

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        verbose_name = "blocked address"
        verbose_name_plural = "blocked addresses"
        constraints = [models.UniqueConstraint(fields=["channel", "address"], name="one_suppression_per_address")]

    def __str__(self) -> str:
        return self.address

    def clean(self) -> None:
        """Keep addresses in small letters, as they are compared."""
        self.address = self.address.strip().lower()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save it; a new one is an event of each customer who has the address."""
        is_new = self._state.adding
        with transaction.atomic():
            super().save(*args, **kwargs)
            if is_new:
                Suppression.objects.filter(pk=self.pk).tell("address_blocked")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete it, with an event of each customer who has the address."""
        with transaction.atomic():
            Suppression.objects.filter(pk=self.pk).tell("address_unblocked", timezone.now())
            return super().delete(*args, **kwargs)
