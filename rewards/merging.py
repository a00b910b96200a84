"""What becomes of two customers' points, vouchers and tiers when they turn out to be one."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Exists, F, OuterRef, Subquery

from loyaltyflow.store.models import Customer

from . import ledger
from .models import Account, Adjustment, Hold, Redemption, Spending, Standing, Voucher


def merge(kept: Customer, merged: Customer, now: datetime, by: AbstractBaseUser | None = None) -> dict[str, int]:
    """How many points and vouchers the kept customer got from the merged one; the higher tier stays.

    Points go with their expiry, those that wait and those that are owed too, as paired entries.
    """
    ledger.lock([kept.pk, merged.pk])
    Hold.objects.filter(customer=merged, ended_at=None).update(ended_at=now)
    before = Account.objects.filter(pk=merged.pk).values_list("balance", flat=True).first() or 0
    ledger.transfer(merged.pk, kept.pk, None, key=f"merge:{merged.pk}", now=now, by=by)
    _merge_spendings(kept, merged)
    Adjustment.objects.pending().filter(customer=merged).update(customer=kept)
    return {
        "points": before,
        "vouchers": Voucher.objects.filter(customer=merged).update(customer=kept),
        "redemptions": Redemption.objects.filter(customer=merged).update(customer=kept),
        "tiers": _keep_the_higher_tier(kept, merged, now),
    }


def _merge_spendings(kept: Customer, merged: Customer) -> None:
    """Let what either had of a budget count for the one."""
    theirs, own = Spending.objects.filter(customer=merged), Spending.objects.filter(customer=kept)
    of_both = {"budget": OuterRef("budget"), "period_start": OuterRef("period_start")}
    same = theirs.filter(**of_both)
    own.filter(Exists(same)).update(used=F("used") + Subquery(same.values("used")))
    theirs.filter(Exists(own.filter(**of_both))).delete()
    theirs.update(customer=kept)


def _keep_the_higher_tier(kept: Customer, merged: Customer, now: datetime) -> int:
    """How many tiers went over: the merged customer's, if it is the higher one."""
    theirs = Standing.objects.open().filter(customer=merged).select_related("tier").first()
    own = Standing.objects.open().filter(customer=kept).select_related("tier").first()
    if theirs is None:
        return 0
    if own is not None and own.tier.threshold >= theirs.tier.threshold:
        Standing.objects.filter(pk=theirs.pk).update(until=now)
        return 0
    Standing.objects.open().filter(customer=kept).update(until=now)
    return Standing.objects.filter(pk=theirs.pk).update(customer=kept)
