"""What becomes of two customers' messages when they turn out to be one."""

from django.db.models import Exists, OuterRef

from loyaltyflow.store.models import Customer

from .models import Message


def merge(kept: Customer, merged: Customer) -> dict[str, int]:
    """How many messages went to the kept customer; what both were to get, only the kept one gets."""
    theirs = Message.objects.filter(customer=merged)
    same = Message.objects.filter(customer=kept, origin=OuterRef("origin"), visit=OuterRef("visit"))
    theirs.filter(Exists(same)).stop()
    return {"messages": theirs.exclude(Exists(same)).update(customer=kept)}
