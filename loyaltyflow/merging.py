"""Makes one customer of two that turned out to be the same person, in all that we know of them."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

import messaging.merging
import rewards.merging
import segments.merging
import workflows.merging
from loyaltyflow.store import merging
from loyaltyflow.store.models import Apart, Customer, Merge


class NotMerged(Exception):
    """The two cannot be made one; nothing was changed."""


@dataclass(frozen=True)
class Preview:
    """What a merge would do: how many rows of each kind would move, and the customer that would come of it."""

    moved: dict[str, int]
    kept: Customer


class _Rehearsed(Exception):
    """Takes back what was only tried."""


def merge(kept: Customer, merged: Customer, now: datetime, by: AbstractBaseUser | None = None) -> Merge:
    """The record of the merge: `kept` has everything that either had, `merged` is found no more.

    Points move as two paired entries with their expiry, of consents the stricter word counts, and what both were on,
    such as a workflow, goes on once. Raises NotMerged if one of them is gone, or if they are the same.
    """
    with transaction.atomic():
        kept, merged = _locked(kept, merged)
        was = merging.profile(merged)
        moved = {
            **rewards.merging.merge(kept, merged, now, by),
            **merging.merge(kept, merged, now),
            **segments.merging.merge(kept, merged, now),
            **messaging.merging.merge(kept, merged),
            **workflows.merging.merge(kept, merged, now),
        }
        return Merge.objects.create(
            kept=kept,
            merged=merged,
            at=now,
            by_id=by.pk if by else None,
            was=was,
            moved={kind: number for kind, number in moved.items() if number},
        )


def preview(kept: Customer, merged: Customer, now: datetime) -> Preview:
    """What `merge` would do, found out by doing it and taking it back."""
    tried: list[Preview] = []
    try:
        with transaction.atomic():
            done = merge(kept, merged, now)
            tried.append(Preview(done.moved, Customer.objects.get(pk=kept.pk)))
            raise _Rehearsed
    except _Rehearsed:
        return tried[0]


def tell_apart(one: Customer, other: Customer, now: datetime, by: AbstractBaseUser | None = None) -> bool:
    """Whether it was news that the two are not the same person; they are not offered as duplicates any more."""
    said = {"said_at": now, "said_by_id": by.pk if by else None}
    return Apart.objects.get_or_create(**Apart.pair(one, other), defaults=said)[1]


def _locked(kept: Customer, merged: Customer) -> tuple[Customer, Customer]:
    if kept.pk == merged.pk:
        raise NotMerged("These are one and the same customer. Choose the other one of the two.")
    # So locked that tills can still write down what is theirs: they wait for the accounts, and in no circle.
    rows = Customer.objects.filter(pk__any=[kept.pk, merged.pk]).order_by("pk").select_for_update(no_key=True)
    found = {each.pk: each for each in rows}
    if len(found) < 2:
        raise NotMerged("One of the two was merged or deleted in the meantime. Look them up again.")
    return found[kept.pk], found[merged.pk]
