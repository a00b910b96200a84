from datetime import datetime

from django.db import models
from django.db.models import Q

from loyaltyflow.store.models import Customer


class MembershipQuerySet(models.QuerySet["Membership"]):
    def open(self) -> "MembershipQuerySet":
        return self.filter(left_at__isnull=True)

    def at(self, now: datetime) -> "MembershipQuerySet":
        """Who was in at `now`."""
        return self.filter(Q(left_at__isnull=True) | Q(left_at__gt=now), joined_at__lte=now)


class Membership(models.Model):
    """One stay of a customer in a segment."""

    segment = models.ForeignKey(
        "segments.Segment", on_delete=models.CASCADE, related_name="memberships", db_index=False
    )
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="memberships")
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["segment", "customer"],
                condition=Q(left_at__isnull=True),
                name="one_open_membership_per_customer_and_segment",
            ),
            models.CheckConstraint(
                condition=Q(left_at__isnull=True) | Q(left_at__gte=models.F("joined_at")),
                name="nobody_leaves_a_segment_before_joining",
            ),
        ]
        indexes = [
            models.Index(fields=["segment", "joined_at"], name="membership_joined"),
            models.Index(fields=["segment", "left_at"], name="membership_left"),
        ]

    def __str__(self) -> str:
        return f"{self.customer} in {self.segment}"


class Recheck(models.Model):
    """When a customer's place in a segment may change with no new event, as when a window of days runs out."""

    segment = models.ForeignKey("segments.Segment", on_delete=models.CASCADE, related_name="rechecks", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    due_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["segment", "customer"], name="one_recheck_per_customer_and_segment")
        ]
        indexes = [models.Index(fields=["segment", "due_at"], name="recheck_due")]

    def __str__(self) -> str:
        return f"{self.customer} in {self.segment}"
