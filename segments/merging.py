"""What becomes of two customers' places in segments when they turn out to be one."""

from datetime import datetime

from django.db.models import F, Value
from django.db.models.functions import Greatest

from loyaltyflow.store.models import Customer

from . import by_hand
from .models import Membership, Recheck, Segment


def merge(kept: Customer, merged: Customer, now: datetime) -> dict[str, int]:
    """How many segments that are filled by hand the kept customer came into; conditions are asked at the next tick.

    The merged customer leaves all without an event: nobody left.
    """
    Recheck.objects.filter(customer=merged).delete()
    stays = Membership.objects.open().filter(customer=merged)
    left = list(stays.select_for_update().values_list("segment_id", flat=True))
    stays.update(left_at=Greatest("joined_at", Value(now)))
    Segment.objects.filter(pk__any=left).update(members_now=F("members_now") - 1)
    joined = 0
    for segment in Segment.objects.by_hand().filter(pk__any=left):
        joined += by_hand.put_in(segment, Customer.objects.filter(pk=kept.pk), now, "merge")
    return {"segments filled by hand": joined}
