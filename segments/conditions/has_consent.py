from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Channel, Consent, Customer

from .base import Condition


class HasConsent(Condition):
    """The last word of the customer on a channel. Who never said a word counts as unknown."""

    icon = "how_to_reg"
    shelf = "About them"
    examples: ClassVar[list[dict[str, Any]]] = [{"channel": "email", "status": "opted_in"}]

    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.EMAIL)
    status = models.CharField(max_length=10, choices=Consent.Status.choices, default=Consent.Status.OPTED_IN)

    class Meta:
        verbose_name = "consent"

    def q(self, now: datetime) -> Q:
        words = Consent.objects.filter(customer=OuterRef("pk"), channel=self.channel)
        standing = Q(Exists(words.standing(self.channel, self.status, now)))
        if self.status == Consent.Status.UNKNOWN:
            return standing | ~Q(Exists(words.filter(given_at__lte=now)))
        return standing

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: each word is an event."""
        return None

    def phrase(self) -> str:
        phrases = {
            Consent.Status.OPTED_IN: "have opted in to",
            Consent.Status.OPTED_OUT: "have opted out of",
            Consent.Status.PENDING: "were asked and have not confirmed yet:",
            Consent.Status.UNKNOWN: "have said neither yes nor no to",
        }
        channel = str(self.get_channel_display())
        return f"{phrases[Consent.Status(self.status)]} {channel[0].lower()}{channel[1:]}".replace("sMS", "SMS")

    def seen(self, customer: Customer, now: datetime) -> str:
        words = Consent.objects.filter(customer=customer, channel=self.channel, given_at__lte=now)
        last = words.order_by("-given_at", "-pk").first()
        if last is None:
            return "never said"
        return f"{last.get_status_display()} on {last.given_at.astimezone(now.tzinfo):%Y-%m-%d}, {last.source}"
