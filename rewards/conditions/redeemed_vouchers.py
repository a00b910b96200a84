from datetime import date, datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import day
from loyaltyflow.words import number
from segments.comparisons.number import ComparesKnownNumber
from segments.comparisons.window import InWindow
from segments.conditions import Condition

from ..vouchers import Redemption, RedemptionQuerySet
from .of_discount import OfDiscount


class RedeemedVouchers(OfDiscount, ComparesKnownNumber, InWindow, Condition):
    """Has redeemed so many vouchers: codes of their own, or codes that everybody may use.

    A code that may be used several times counts each time. A use that was undone does not count.
    """

    icon = "redeem"
    shelf = "Vouchers"
    words = "code coupon discount used"
    labels: ClassVar[dict[str, str]] = {"operator": "Redeemed"}
    units: ClassVar[dict[str, str]] = {**InWindow.units, "value": "vouchers", "upper": "vouchers"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"value": 1, "window_days": 30},
        {"discount": "Winback offer", "value": 1},
        {"operator": "at_most", "value": 1, "since": date(2026, 9, 1), "until": date(2026, 11, 20)},
        {"operator": "more_than", "value": 1, "since_own": "loyalty_joined_at"},
        {"operator": "less_than", "value": 2, "window_days": 7},
        {"discount": "Winback offer", "operator": "is", "value": 0, "window_days": 90},
        {"operator": "is_not", "value": 1},
        {"operator": "between", "value": 2, "upper": 3, "window_days": 180},
    ]

    class Meta:
        verbose_name = "vouchers redeemed"

    def q(self, now: datetime) -> Q:
        uses = self._uses(now).filter(self.inside("redeemed_at", now), customer=OuterRef("pk"))
        many = Subquery(uses.order_by().values("customer").values(many=Count("pk")))
        return self.compares(Coalesce(many, Value(0), output_field=models.BigIntegerField()))

    def flips(self, now: datetime) -> Combinable | None:
        """When the first of the uses in the time falls out of it; each use, and each that is undone, is an event."""
        uses = self._uses(now).filter(self.inside("redeemed_at", now), customer=OuterRef("pk"))
        return self.falls_out(Subquery(uses.order_by("redeemed_at").values("redeemed_at")[:1]), now)

    def phrase(self) -> str:
        return f"redeemed {self.said_of('voucher')}{self.of()}{self.when()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        uses = self._uses(now).filter(self.inside("redeemed_at", now, customer), customer=customer)
        last = uses.order_by("-redeemed_at", "-pk").select_related("discount").first()
        if last is None:
            return "redeemed none"
        return f"{number(uses.count(), 'voucher')}, the last on {day(last.redeemed_at)}: “{last.discount}”"

    def _uses(self, now: datetime) -> RedemptionQuerySet:
        """Those that stood at `now`; a discount that needs no code is no voucher."""
        return Redemption.objects.made_by(now).filter(self.chosen(), voucher__isnull=False)
