from datetime import datetime
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Exists, ExpressionWrapper, F, OuterRef, Q, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Least

from loyaltyflow.sql import LocalDayStart
from loyaltyflow.store.models import Customer
from loyaltyflow.words import number, strong
from segments.comparisons.dates import LONGEST, midnight
from segments.conditions import Condition

from ..vouchers import Voucher
from .of_discount import MICROSECOND, OfDiscount, next_instant

LAST_INSTANT = ExpressionWrapper(F("expires_at") - MICROSECOND, output_field=models.DateTimeField())


class VoucherExpires(OfDiscount, Condition):
    """Has a voucher that can be used now, and whose last day is today or one of the next days.

    Days are calendar days of the store. A voucher no longer counts from the moment at which it is refused.
    """

    icon = "hourglass_bottom"
    shelf = "Vouchers"
    words = "code coupon discount ends soon reminder unused"
    units: ClassVar[dict[str, str]] = {"days": "days"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {},
        {"days": 0},
        {"days": 3, "discount": "Winback offer"},
        {"days": 30},
    ]

    days = models.PositiveIntegerField(
        "expires in the next", default=7, validators=[MaxValueValidator(LONGEST)], help_text="0: today."
    )

    class Meta:
        verbose_name = "voucher about to expire"

    def q(self, now: datetime) -> Q:
        usable = Voucher.objects.usable_at(now).filter(self.chosen(), customer=OuterRef("pk"))
        return Q(Exists(usable.filter(expires_at__lte=self._edge(now))))

    def flips(self, now: datetime) -> Combinable | None:
        """At the midnight from which the next one is so near, and when the time of one begins or ends."""
        unused = Voucher.objects.unused_at(now).filter(self.chosen(), customer=OuterRef("pk"))
        later = unused.filter(expires_at__gt=self._edge(now)).order_by("expires_at").values(last=LAST_INSTANT)[:1]
        return Least(
            LocalDayStart(Subquery(later), now.tzinfo.key, -self.days),  # type: ignore[union-attr]
            next_instant(unused, "valid_from", now),
            next_instant(unused, "expires_at", now),
        )

    def phrase(self) -> str:
        when = f"in the next {strong(number(self.days, 'day'))}" if self.days else strong("today")
        return f"have a voucher{self.of()} that expires {when}"

    def seen(self, customer: Customer, now: datetime) -> str:
        return self.usable(customer, now)

    def _edge(self, now: datetime) -> datetime:
        """The end of the last day that is asked for: a voucher that is refused from then on was good all that day."""
        return midnight(now.date(), now.tzinfo, self.days + 1)
