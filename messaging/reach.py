"""By which channel a customer can be told what they must be told: the first one that reaches them."""

from typing import Any

from django.db import models
from django.db.models import Case, CharField, Exists, OuterRef, Q, Value, When
from django.db.models.functions import Lower

from loyaltyflow.store.models import Customer

from .channels import Channel
from .messages import Message
from .suppression import Suppression

LOOKS_RIGHT = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"  # of an e-mail address; each channel looks at its own once more


def with_channel(customers: models.QuerySet[Customer]) -> models.QuerySet[Any]:
    """Each with `channel`, the first that reaches them with a service message, and `why_not`: "" or the reason.

    Consent is not asked: it is for marketing. A channel is one of `channels`, in the order of their files.
    """
    ways = []
    has_address = Q()
    for kind in Channel.registry.values():
        field = kind.address.removeprefix("customer__")
        blocked = Suppression.objects.filter(channel=kind.name, address=Lower(OuterRef(field)))
        fits = Q((f"{field}__regex", LOOKS_RIGHT))
        has_address |= fits
        ways.append(When(fits & ~Exists(blocked), then=Value(kind.name)))
    reasons = [
        When(~Q(channel=""), then=Value("")),
        When(has_address, then=Value(Message.Reason.SUPPRESSED)),
    ]
    no_address = Value(Message.Reason.NO_ADDRESS)
    with_way = customers.annotate(channel=Case(*ways, default=Value(""), output_field=CharField()))
    return with_way.annotate(why_not=Case(*reasons, default=no_address, output_field=CharField()))
