"""Customers who are put into segments by hand, and taken out again."""

from datetime import datetime
from random import Random

from loyaltyflow.store.models import Customer
from segments.models import Membership, Segment

from . import happening, tell


@happening
def put_in(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    stay = _stay(chance, customer)
    if stay is None or (stay.left_at is None and stay.pk) or not _is_free(stay, at, now):
        return
    fresh = Membership.objects.create(segment=stay.segment, customer=customer, joined_at=min(at, now))
    tell("segment_entered", customer, fresh.joined_at, segment=fresh.segment_id)


@happening
def take_out(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    stay = _stay(chance, customer)
    if stay and stay.pk and stay.left_at is None:
        stay.left_at = max(min(at, now), stay.joined_at)
        stay.save(update_fields=["left_at"])
        tell("segment_left", customer, stay.left_at, segment=stay.segment_id)


def _stay(chance: Random, customer: Customer) -> Membership | None:
    """The customer's last stay in one of the segments that are filled by hand; a new one if there was none."""
    segments = list(Segment.objects.filter(kind=Segment.Kind.STATIC, is_active=True).order_by("pk"))
    if not segments:
        return None
    segment = chance.choice(segments)
    last = Membership.objects.filter(segment=segment, customer=customer).order_by("-joined_at", "-pk").first()
    return last or Membership(segment=segment, customer=customer)


def _is_free(stay: Membership, at: datetime, now: datetime) -> bool:
    """Whether a new stay can begin then: the last one is over."""
    return stay.left_at is None or stay.left_at <= min(at, now)
