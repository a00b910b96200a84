"""Pinning tags to customers, and taking them off."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Value
from django.db.models.fields import DateTimeField, TextField
from django.db.models.functions import Cast, Concat, Greatest, JSONObject

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


@transaction.atomic
def remove(
    customers: CustomerQuerySet, name: str, at: datetime, source: str, by: AbstractBaseUser | None = None
) -> int:
    """The number of customers who had the tag and have it no longer; each removal is an event."""
    had = Tagging.objects.open().filter(tag__name=Tag.normalise(name), customer__in=customers.values("pk"))
    removed = list(had.select_for_update(of=("self",)).values_list("pk", flat=True))
    rows = Tagging.objects.filter(pk__any=removed)
    rows.update(removed_at=Greatest("added_at", Value(at, output_field=DateTimeField())), removed_by=by and by.pk)
    event = {
        "name": Value("tag_removed"),
        "customer": "customer_id",
        "occurred_at": "removed_at",
        "source": Value(source[:40]),
        "key": Concat(Value("tag_removed:"), Cast("pk", TextField()), output_field=TextField()),
        "properties": JSONObject(tag="tag__name"),
    }
    insert_select(Event, rows, event, ignore_conflicts=True)
    return len(removed)
