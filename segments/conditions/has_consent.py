from django.db import models

from loyaltyflow.store.models import Channel, Consent

from .base import Condition


class HasConsent(Condition):
    """The last word of the customer on a channel."""

    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.EMAIL)
    status = models.CharField(max_length=10, choices=Consent.Status.choices, default=Consent.Status.OPTED_IN)
