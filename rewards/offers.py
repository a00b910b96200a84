"""What discounts a customer may use now: those that have begun, and for members of some tiers those that begin soon."""

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from segments.models import Membership

from .models import Discount, Standing
from .tiers import early_hours
from .vouchers import Redemption, Voucher


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


def to_have(customer_id: int, now: datetime) -> models.QuerySet[Discount]:
    """Those of them that the customer can have for points: with a code to give that can be used afterwards."""
    theirs = Voucher.objects.filter(discount=OuterRef("pk"), state=Voucher.State.ISSUED, customer__isnull=False)
    used = Redemption.objects.standing().filter(discount=OuterRef("pk"), customer=customer_id)
    free = Voucher.objects.filter(
        Voucher.lasts(now), discount=OuterRef("pk"), state=Voucher.State.FREE, pool__isnull=False
    )
    own = _number(used) + _number(theirs.filter(customer=customer_id))
    return open_to(customer_id, now).filter(
        Q(makes_codes=True) | Exists(free),
        Q(uses_allowed=None) | Q(uses_allowed__gt=F("uses") + _number(theirs)),
        Q(uses_per_customer=None) | Q(uses_per_customer__gt=own),
        points_price__isnull=False,
    )


def _number(rows: models.QuerySet[Any]) -> Coalesce:
    """How many there are of them, of each discount."""
    counted = rows.order_by().values("discount").values(number=Count("pk"))
    return Coalesce(Subquery(counted), 0, output_field=IntegerField())
