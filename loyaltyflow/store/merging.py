"""Makes one customer of two: the profile, and the facts that the shop told us of either."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Value
from django.db.models.functions import Greatest

from loyaltyflow.sql import insert_select

from . import consents
from .carts import Cart
from .consent import Channel, Consent
from .customers import Customer, ExternalId, Tagging
from .events import Event, happened
from .orders import Order

SOURCE = "merge"
FILLED = (
    "email",
    "phone",
    "first_name",
    "last_name",
    "gender",
    "state",
    "country",
    "postal_code",
    "time_zone",
    "language",
    "birth_year",
)
EARLIEST = ("created_at", "registered_at", "profile_completed_at", "loyalty_joined_at")
# What was said against writing to somebody outweighs what was said for it.
STRICTEST = (Consent.Status.OPTED_OUT, Consent.Status.PENDING, Consent.Status.OPTED_IN, Consent.Status.UNKNOWN)


def merge(kept: Customer, merged: Customer, now: datetime) -> dict[str, int]:
    """How many rows of each kind went from `merged` to `kept`; both are locked, in a transaction, by the caller."""
    words = _words(kept, merged)
    _merge_profiles(kept, merged, now)
    moved = {
        "orders": Order.objects.filter(customer=merged).update(customer=kept),
        "carts": Cart.objects.filter(customer=merged).update(customer=kept),
        "events": Event.objects.filter(customer=merged).update(customer=kept),
        "numbers in other systems": ExternalId.objects.filter(customer=merged).update(customer=kept),
        "tags": _move_tags(kept, merged, now),
        "words on consent": _copy_consents(kept, merged),
    }
    for channel, status in words.items():
        consents.record(Customer.objects.filter(pk=kept.pk), channel, status, now, SOURCE, "The stricter word of two.")
    happened("customers_merged", kept.pk, now, f"customers_merged:{merged.pk}", SOURCE)
    return moved


def profile(customer: Customer) -> dict[str, Any]:
    """What the profile says, as text, to be kept when it is gone."""
    named = (*FILLED, *EARLIEST, "birth_month", "birth_day", "loyalty_left_at", "attributes")
    said = {name: getattr(customer, name) for name in named}
    return {
        name: value if isinstance(value, dict | int) else str(value)
        for name, value in said.items()
        if value not in ("", None, {})
    }


def _merge_profiles(kept: Customer, merged: Customer, now: datetime) -> None:
    """Fill in what the kept profile lacks; the merged one is emptied first, for addresses are unique."""
    Customer.everyone.filter(pk=merged.pk).update(email="", phone="", merged_into=kept, updated_at=now)
    # Who had turned out to be the merged customer is the kept one, too: one step leads to who is there.
    Customer.everyone.filter(merged_into=merged).update(merged_into=kept)
    for name in FILLED:
        setattr(kept, name, getattr(kept, name) or getattr(merged, name))
    if kept.birth_month is None:
        kept.birth_month, kept.birth_day = merged.birth_month, merged.birth_day
    kept.loyalty_left_at = _left(kept, merged)
    for name in EARLIEST:
        known = [at for at in (getattr(kept, name), getattr(merged, name)) if at]
        setattr(kept, name, min(known, default=None))
    kept.attributes = {**merged.attributes, **kept.attributes}
    kept.updated_at = now
    kept.save(
        update_fields=[*FILLED, *EARLIEST, "birth_month", "birth_day", "loyalty_left_at", "attributes", "updated_at"]
    )


def _left(kept: Customer, merged: Customer) -> datetime | None:
    """When the two as one left the programme: not as long as either is in it."""
    joined = [each for each in (kept, merged) if each.loyalty_joined_at]
    left = [each.loyalty_left_at for each in joined]
    return max((at for at in left if at), default=None) if all(left) else None


def _words(kept: Customer, merged: Customer) -> dict[str, str]:
    """The stricter of the two last words on each channel on which either said anything."""
    words = {}
    for channel in Channel:
        said = Consent.objects.filter(channel=channel)
        last = [
            said.filter(customer=each).order_by("-given_at", "-pk").values_list("status", flat=True).first()
            for each in (kept, merged)
        ]
        if any(last):
            words[str(channel)] = str(min((each for each in last if each), key=lambda each: STRICTEST.index(each)))
    return words


def _copy_consents(kept: Customer, merged: Customer) -> int:
    """How many words of the merged customer the kept one has said now, too; what was said stays where it was said."""
    columns = {name: name for name in ("channel", "status", "source", "proof", "given_at")}
    return insert_select(Consent, Consent.objects.filter(customer=merged), {"customer": kept.pk, **columns})


def _move_tags(kept: Customer, merged: Customer, now: datetime) -> int:
    """How many tags went over; one that both have ends on the merged customer."""
    same = Tagging.objects.open().filter(customer=kept, tag=OuterRef("tag"))
    Tagging.objects.open().filter(Exists(same), customer=merged).update(removed_at=Greatest("added_at", Value(now)))
    return Tagging.objects.filter(customer=merged).update(customer=kept)
