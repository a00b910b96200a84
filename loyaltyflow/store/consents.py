"""Writing down what customers agree to."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Value
from django.db.models.fields import TextField
from django.db.models.functions import Cast, Concat, JSONObject

from loyaltyflow.sql import insert_select

from .consent import Consent
from .customers import Customer, CustomerQuerySet
from .events import Event


@transaction.atomic
def record(customers: CustomerQuerySet, channel: str, status: str, at: datetime, source: str, proof: str = "") -> int:
    """The number of customers whose last word on the channel this changed; each change is a consent_changed event."""
    same = Consent.objects.standing(channel, status).filter(customer=OuterRef("pk"))
    chosen = Customer.objects.filter(~Exists(same), pk__any=list(customers.values_list("pk", flat=True)))
    changed = list(chosen.values_list("pk", flat=True))
    given = {
        "customer": "pk",
        "channel": Value(channel),
        "status": Value(status),
        "source": Value(source[:60]),
        "proof": Value(proof),
        "given_at": at,
    }
    insert_select(Consent, Customer.objects.filter(pk__any=changed), given)
    told = Consent.objects.filter(customer__any=changed, channel=channel, status=status, given_at=at)
    event = {
        "name": Value("consent_changed"),
        "customer": "customer_id",
        "occurred_at": "given_at",
        "source": Value(source[:40]),
        "key": Concat(Value("consent_changed:"), Cast("pk", TextField()), output_field=TextField()),
        "properties": JSONObject(channel="channel", status="status"),
    }
    insert_select(Event, told, event, ignore_conflicts=True)
    return len(changed)
