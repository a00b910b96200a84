from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q

from loyaltyflow.store.models import Customer
from loyaltyflow.words import strong
from rewards.models import Voucher
from rewards.vouchers import VoucherQuerySet
from segments.conditions import Condition

from ..enrolments import Enrolment


class VoucherUnused(Condition):
    """Still has the voucher that an earlier step of this workflow gave, or used it or let its time pass."""

    icon = "confirmation_number"
    shelf = "This workflow"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"step": "Give the voucher"},
        {"step": "Give the voucher", "is_unused": False},
    ]
    asked_of_segments = False

    step = models.ForeignKey("workflows.AssignVoucher", on_delete=models.PROTECT, related_name="+")
    is_unused = models.BooleanField("it can still be used", default=True, help_text="Off: it was used or is over.")

    def q(self, now: datetime) -> Q:
        given = self._given(now).filter(customer=OuterRef("pk"))
        unused = Q(Exists(given & Voucher.objects.unused_at(now)))
        return unused if self.is_unused else Q(Exists(given)) & ~unused

    def flips(self, now: datetime) -> None:
        return None

    def phrase(self) -> str:
        voucher = f"the voucher of “{strong(self.step.label)}”"
        return f"can still use {voucher}" if self.is_unused else f"{strong('can no longer')} use {voucher}"

    def seen(self, customer: Customer, now: datetime) -> str:
        last = self._given(now).filter(customer=customer).order_by("-assigned_at", "-pk").first()
        return f"{last.code}: {last.get_state_display().lower()}" if last else "got none"

    def _given(self, now: datetime) -> VoucherQuerySet:
        """The vouchers that the step gave on the walks that are under way."""
        walk = Enrolment.objects.active().filter(
            customer=OuterRef("customer"), workflow=OuterRef("workflow"), entered_at__lte=OuterRef("assigned_at")
        )
        return Voucher.objects.filter(Exists(walk), origin__startswith=f"node:{self.step_id}:", assigned_at__lte=now)
