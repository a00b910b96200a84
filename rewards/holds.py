from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from loyaltyflow.store.models import Customer

from .vouchers import Voucher


class HoldQuerySet(models.QuerySet["Hold"]):
    def open(self, now: datetime) -> "HoldQuerySet":
        """Those that still keep something for a till."""
        return self.filter(ended_at=None, expires_at__gt=now)


class Hold(models.Model):
    """Points or a voucher that a till keeps for a customer for some minutes, so that no other till can take them."""

    source = models.CharField(max_length=40, help_text="The system that asked for it.")
    external_id = models.CharField(max_length=120, help_text="What that system calls it.")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="holds")
    points = models.PositiveBigIntegerField(default=0, db_default=0)
    is_single = models.BooleanField(
        default=True, db_default=True, help_text="Whether its voucher may be used once only, so that nobody else can."
    )
    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, null=True, blank=True, related_name="holds")
    store_location = models.CharField(max_length=60, blank=True, default="", db_default="")
    till = models.CharField(max_length=60, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was used or let go.")

    objects = HoldQuerySet.as_manager()

    class Meta:
        permissions = [("use_till", "Can sell on the Till page")]
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="one_hold_per_source_and_number"),
            models.UniqueConstraint(
                fields=["voucher"],
                condition=Q(ended_at__isnull=True, is_single=True),
                name="one_open_hold_per_voucher",
            ),
        ]
        indexes = [models.Index(fields=["customer"], name="open_hold", condition=Q(ended_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.points:,} pts" if self.points else str(self.voucher)
