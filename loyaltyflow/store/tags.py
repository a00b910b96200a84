"""Pinning tags to customers."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Value
from django.db.models.fields import TextField
from django.db.models.functions import Cast, Concat, JSONObject

from loyaltyflow.sql import insert_select

from .customers import Customer, CustomerQuerySet, Tag, Tagging
from .events import Event


@transaction.atomic
def add(customers: CustomerQuerySet, name: str, at: datetime, source: str, by: AbstractBaseUser | None = None) -> int:
    """The number of customers who did not have the tag before; every attempt is an event, the second one too.

    `source` says where it was added, such as admin or a workflow's name.
    """
    tag = Tag.objects.get_or_create(name=Tag.normalise(name))[0]
    chosen = Customer.objects.filter(pk__any=list(customers.values_list("pk", flat=True)))
    pinned = {"customer": "pk", "tag": tag.pk, "added_at": at, "added_by": by and by.pk}
    added = insert_select(Tagging, chosen, pinned, ignore_conflicts=True)
    event = {
        "name": Value("tag_added"),
        "customer": "pk",
        "occurred_at": at,
        "source": Value(source[:40]),
        "key": Concat(
            Value(f"tag_added:{tag.pk}:{at.isoformat()}:"), Cast("pk", TextField()), output_field=TextField()
        ),
        "properties": JSONObject(tag=Value(tag.name)),
    }
    insert_select(Event, chosen, event, ignore_conflicts=True)
    return added
