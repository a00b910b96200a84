"""What questions about vouchers share: of which discount they are, and which ones a customer has."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q, Subquery

from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import day
from loyaltyflow.words import number, strong

from ..discounts.base import Discount
from ..vouchers import Voucher, VoucherQuerySet

MICROSECOND = timedelta(microseconds=1)
SHOWN = 3  # vouchers that are said one by one


class OfDiscount(models.Model):
    """Asks about vouchers of one discount, or of any."""

    discount = models.ForeignKey(
        Discount, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="Empty: any."
    )

    class Meta:
        abstract = True

    def chosen(self) -> Q:
        """Which vouchers, or uses of vouchers, are of the discount."""
        return Q(discount=self.discount_id) if self.discount_id else Q()

    def of(self) -> str:
        """The discount as a part of a phrase, with its space before it; empty for any."""
        return f" of “{strong(self.discount)}”" if self.discount_id else ""

    def usable(self, customer: Customer, now: datetime) -> str:
        """The vouchers of it that the customer could use then, in words: those that end first, first."""
        vouchers = Voucher.objects.usable_at(now).filter(self.chosen(), customer=customer).select_related("discount")
        rows = list(vouchers.order_by(models.F("expires_at").asc(nulls_last=True), "pk"))
        more = [number(len(rows) - SHOWN, "more", "more")] if len(rows) > SHOWN else []
        return ", ".join([*map(_with_end, rows[:SHOWN]), *more]) or "has none"


def next_instant(vouchers: VoucherQuerySet, column: str, after: datetime) -> Subquery:
    """The first instant after that one in the column of the vouchers."""
    return Subquery(vouchers.filter((f"{column}__gt", after)).order_by(column).values(column)[:1])


def _with_end(voucher: Voucher) -> str:
    end = f"through {day(voucher.expires_at - MICROSECOND)}" if voucher.expires_at else "without an end"
    return f"“{voucher.discount}” {end}"
