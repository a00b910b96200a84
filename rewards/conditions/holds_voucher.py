from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Least

from loyaltyflow.store.models import Customer
from loyaltyflow.words import strong
from segments.conditions import Condition

from ..vouchers import Voucher
from .of_discount import OfDiscount, next_instant


class HoldsVoucher(OfDiscount, Condition):
    """Has a voucher of their own that can be used now, or has none.

    One that was used, revoked or replaced no longer counts, nor one whose time is over or has not begun.
    """

    icon = "confirmation_number"
    shelf = "Vouchers"
    words = "code coupon discount reward unused"
    labels: ClassVar[dict[str, str]] = {"operator": "The customer"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {},
        {"discount": "Winback offer"},
        {"operator": "has_not"},
        {"operator": "has_not", "discount": "Winback offer"},
    ]

    class Operator(models.TextChoices):
        HAS = "has", "has one"
        HAS_NOT = "has_not", "does not have one"

    operator = models.CharField(max_length=8, choices=Operator.choices, default=Operator.HAS)

    class Meta:
        verbose_name = "unused voucher"

    def q(self, now: datetime) -> Q:
        usable = Voucher.objects.usable_at(now).filter(self.chosen(), customer=OuterRef("pk"))
        has = Q(Exists(usable))
        return has if self.operator == self.Operator.HAS else ~has

    def flips(self, now: datetime) -> Combinable | None:
        """When the time of one of them begins or ends; that one is given, used or revoked is an event."""
        unused = Voucher.objects.unused_at(now).filter(self.chosen(), customer=OuterRef("pk"))
        return Least(next_instant(unused, "valid_from", now), next_instant(unused, "expires_at", now))

    def phrase(self) -> str:
        article = "an" if self.operator == self.Operator.HAS else strong("no")
        return f"have {article} unused voucher{self.of()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        return self.usable(customer, now)
