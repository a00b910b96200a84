from django.conf import settings
from django.db import models

from .points import Entry
from .vouchers import Voucher


class Exchange(models.Model):
    """A voucher that a customer took for points: what it cost, which code it is, and whether it was undone."""

    source = models.CharField(max_length=40, help_text="The system that asked for it.")
    external_id = models.CharField(max_length=120, help_text="What that system calls it.")
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="exchange", help_text="What was paid.")
    voucher = models.OneToOneField(Voucher, on_delete=models.PROTECT, related_name="exchange")
    store_location = models.CharField(max_length=60, blank=True, default="")
    till = models.CharField(max_length=60, blank=True, default="")
    made_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="one_exchange_per_source_and_number")
        ]

    def __str__(self) -> str:
        return f"{self.points:,} pts for {self.voucher}"

    @property
    def points(self) -> int:
        """What was paid for it."""
        return -self.entry.points
