from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Channel, Consent, Customer
from loyaltyflow.store.templatetags.figures import day
from loyaltyflow.words import strong

from .base import Condition


class HasConsent(Condition):
    """What the customer said last about messages on a channel; who never said anything counts as unknown.

    Whether a message may be sent is checked once more when it is sent.
    """

    icon = "how_to_reg"
    shelf = "About them"
    words = "subscribed unsubscribed newsletter permission"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"channel": "email", "status": "opted_in"},
        {"channel": "email", "status": "opted_out"},
        {"channel": "sms", "status": "pending"},
        {"channel": "push", "status": "unknown"},
        {"channel": "web_push", "status": "opted_in"},
        {"channel": "ads", "status": "opted_out"},
    ]

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
        channel = str(self.get_channel_display())
        name = strong(channel if channel.isupper() else channel[0].lower() + channel[1:])
        phrases = {
            Consent.Status.OPTED_IN: f"have {strong('opted in')} to {name}",
            Consent.Status.OPTED_OUT: f"have {strong('opted out')} of {name}",
            Consent.Status.PENDING: f"have {strong('not confirmed')} yet that they want {name}",
            Consent.Status.UNKNOWN: f"have said {strong('neither yes nor no')} to {name}",
        }
        return phrases[Consent.Status(self.status)]

    def seen(self, customer: Customer, now: datetime) -> str:
        words = Consent.objects.filter(customer=customer, channel=self.channel, given_at__lte=now)
        last = words.order_by("-given_at", "-pk").first()
        if last is None:
            return "never said"
        return f"{last.get_status_display()} on {day(last.given_at)}, from {last.source}"
