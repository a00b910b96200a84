from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Lower

from loyaltyflow.store.models import Channel, Consent, Customer
from loyaltyflow.words import strong
from segments.conditions import Condition

from ..suppression import Suppression


class ReachableBy(Condition):
    """May be written to for marketing: has a valid address, has opted in, and the address is not blocked."""

    icon = "mark_email_read"
    shelf = "Messages"
    words = "can be sent newsletter subscribed"
    examples: ClassVar[list[dict[str, Any]]] = [{"channel": "email"}, {"channel": "sms"}]

    # Channel → where customers have their address, and what a valid one looks like.
    ADDRESSES: ClassVar[dict[str, tuple[str, str]]] = {
        Channel.EMAIL: ("email", r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
        Channel.SMS: ("phone", r"^\+[1-9][0-9]{6,14}$"),
    }
    CHANNELS = [(str(each), each.label) for each in (Channel.EMAIL, Channel.SMS)]

    channel = models.CharField(max_length=10, choices=CHANNELS, default=Channel.EMAIL)

    class Meta:
        verbose_name = "reachable"

    def q(self, now: datetime) -> Q:
        field, pattern = self.ADDRESSES[self.channel]
        word = Consent.objects.filter(customer=OuterRef("pk")).standing(self.channel, Consent.Status.OPTED_IN, now)
        blocked = Suppression.objects.filter(channel=self.channel, address=Lower(OuterRef(field)), added_at__lte=now)
        return Q((f"{field}__regex", pattern)) & Q(Exists(word)) & ~Q(Exists(blocked))

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: each word, each change of an address and each blocking of one is an event."""
        return None

    def phrase(self) -> str:
        channel = str(self.get_channel_display())
        return f"can be reached by {strong(channel if channel.isupper() else channel.lower())}"

    def seen(self, customer: Customer, now: datetime) -> str:
        address = getattr(customer, self.ADDRESSES[self.channel][0])
        words = Consent.objects.filter(customer=customer, channel=self.channel, given_at__lte=now)
        last = words.order_by("-given_at", "-pk").first()
        known = [address or "no address", last.get_status_display().lower() if last else "never said yes or no"]
        blocked = Suppression.objects.filter(channel=self.channel, address=address.lower(), added_at__lte=now)
        return ", ".join([*known, *(f"blocked: {each.get_reason_display().lower()}" for each in blocked)])
