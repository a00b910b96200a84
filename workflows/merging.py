"""What becomes of two customers' ways through workflows when they turn out to be one."""

from datetime import datetime

from django.db.models import Exists, OuterRef

from loyaltyflow.store.models import Customer

from .enrolments import Enrolment

OUTCOME = "Merged with a duplicate"


def merge(kept: Customer, merged: Customer, now: datetime) -> dict[str, int]:
    """How many of the merged customer's ways the kept one goes on; where both were on one, the kept one goes alone."""
    theirs = Enrolment.objects.filter(customer=merged)
    list(theirs.active().order_by("pk").select_for_update().values_list("pk"))
    both = Enrolment.objects.active().filter(customer=kept, workflow=OuterRef("workflow"))
    left = theirs.active().filter(Exists(both)).leave(OUTCOME, now)
    return {"ways through workflows": theirs.update(customer=kept), "ways left, as both were on them": left}
