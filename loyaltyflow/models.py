import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from loyaltyflow.audit.models import Change
from loyaltyflow.store.templatetags.figures import moment

__all__ = ["Answer", "ApiKey", "Change", "TickRun"]


class TickRun(models.Model):
    """One run of the tick: what each stage did, how long it took, what went wrong."""

    now = models.DateTimeField(help_text="The moment it worked for.")
    started_at = models.DateTimeField(auto_now_add=True)
    seconds = models.FloatField(null=True, help_text="Empty while it runs, or if it was killed.")
    stages = models.JSONField(default=list, help_text="Name, seconds, counts and error of each stage.")
    has_failed = models.BooleanField(default=False)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"Tick of {moment(self.now)}"


class ApiKey(models.Model):
    """What another system shows to send us facts. Only a hash of the key is kept."""

    class Scope(models.TextChoices):
        CUSTOMERS = "customers", "Customers"
        PRODUCTS = "products", "Products"
        ORDERS = "orders", "Orders"
        EVENTS = "events", "Events"
        TILL = "till", "Purchases at the till"
        POINTS = "points", "Points by hand"

    name = models.CharField(max_length=80, help_text="The system that uses it, such as Web shop.")
    prefix = models.CharField(max_length=12, unique=True, editable=False, help_text="The part that may be seen.")
    digest = models.CharField(max_length=64, editable=False, help_text="SHA-256 of the whole key.")
    scopes = ArrayField(models.CharField(max_length=12, choices=Scope.choices), help_text="What it may send.")
    source = models.CharField(
        max_length=40,
        default="till",
        db_default="till",
        blank=True,
        help_text="What its orders are filed under; tills that number their receipts together share it. Empty: till.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def digest_of(secret: str) -> str:
        return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

    def give_secret(self) -> str:
        """The new secret of this unsaved key: the only time that it can be seen."""
        self.prefix = f"lf_{secrets.token_hex(4)}"
        secret = f"{self.prefix}_{secrets.token_urlsafe(32)}"
        self.digest = self.digest_of(secret)
        return secret

    @classmethod
    def issue(cls, name: str, scopes: Iterable[str]) -> tuple["ApiKey", str]:
        """A new key and its secret, which is not kept."""
        key = cls(name=name, scopes=list(scopes))
        secret = key.give_secret()
        key.save()
        return key, secret

    def touch(self, now: datetime) -> None:
        """Note that it was used, at most once a minute."""
        a_minute_ago = now - timedelta(minutes=1)
        if self.last_used_at is None or self.last_used_at < a_minute_ago:
            stale = Q(last_used_at=None) | Q(last_used_at__lt=a_minute_ago)
            ApiKey.objects.filter(stale, pk=self.pk).update(last_used_at=now)


class Answer(models.Model):
    """The answer given to one Idempotency-Key, so that the same request repeated gets it again."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="answers", db_index=False)
    key = models.CharField(max_length=128)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of path and body.")
    status = models.PositiveSmallIntegerField(help_text="HTTP status.")
    body = models.TextField(help_text="As it was sent, so that it is the same to the last sign.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "key"], name="one_answer_per_api_key_and_key")]
        indexes = [models.Index(fields=["created_at"], name="answer_by_age")]

    def __str__(self) -> str:
        return self.key


class Guesses(models.Model):
    """How many codes that nobody knows a key or person, or a customer with them (none: all), has tried lately."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, null=True, related_name="guesses", db_index=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+", db_index=False
    )
    customer = models.BigIntegerField(null=True)
    since = models.DateTimeField(help_text="When the count began.")
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["api_key", "user", "customer"], name="one_count_per_sender_and_customer", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(api_key__isnull=True) ^ Q(user__isnull=True), name="codes_are_tried_by_a_key_or_a_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.count} since {moment(self.since)}"
