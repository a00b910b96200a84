from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.fields.json import KT
from django.db.models.functions import Lower

from .customers import Customer


class Merge(models.Model):
    """That one customer turned out to be another: whose rows went where, when and by whom. It cannot be undone."""

    kept = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="merges")
    merged = models.OneToOneField(Customer, on_delete=models.PROTECT, related_name="merge")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    was = models.JSONField(default=dict, help_text="What the merged customer's profile said.")
    moved = models.JSONField(default=dict, help_text="How many rows of each kind went to the kept customer.")

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(kept=F("merged")), name="nobody_is_merged_into_themselves")]
        # Tills still ask by the addresses of those who turned out to be others.
        indexes = [
            models.Index(Lower(KT("was__email")), name="merge_by_email"),
            models.Index(KT("was__phone"), name="merge_by_phone"),
        ]

    def __str__(self) -> str:
        return f"{self.merged} into {self.kept}"


class Apart(models.Model):
    """Two customers who look alike and are not the same, as staff said; the smaller number comes first."""

    one = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    said_at = models.DateTimeField()
    said_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["one", "other"], name="two_customers_are_told_apart_once"),
            models.CheckConstraint(condition=Q(one__lt=F("other")), name="the_smaller_number_comes_first"),
        ]

    def __str__(self) -> str:
        return f"{self.one} is not {self.other}"

    @staticmethod
    def pair(first: Customer, second: Customer) -> dict[str, Any]:
        """The two in the order in which they are kept."""
        one, other = sorted((first, second), key=lambda each: each.pk)
        return {"one": one, "other": other}
