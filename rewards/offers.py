"""What discounts a customer may use now: those that have begun, and for members of some tiers those that begin soon."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from segments.models import Membership

from .models import Discount, Standing
from .tiers import early_hours


def open_to(customer_id: int | None, now: datetime) -> models.QuerySet[Discount]:
    """The active discounts that the customer, or a stranger, may use at `now`, as far as tier and segments decide.

    Members of a tier with early access may use them so many hours before they begin for others.
    """
    begun = now + timedelta(hours=early_hours(customer_id, now))
    running = Q(starts_at=None) | Q(starts_at__lte=begun)
    unended = Q(ends_at=None) | Q(ends_at__gt=now)
    limited = Q(uses_allowed=None) | Q(uses__lt=F("uses_allowed"))
    found = Discount.objects.filter(running, unended, limited, is_active=True)
    standing = Standing.objects.at(now).filter(customer=customer_id)
    stays = Membership.objects.at(now).filter(customer=customer_id)
    for_tiers = Discount.tiers.through.objects.filter(discount=OuterRef("pk"))
    for_segments = Discount.segments.through.objects.filter(discount=OuterRef("pk"))
    return found.filter(
        ~Exists(for_tiers) | Exists(for_tiers.filter(tier__in=standing.values("tier"))),
        ~Exists(for_segments) | Exists(for_segments.filter(segment__in=stays.values("segment"))),
    )
