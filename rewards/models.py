from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from loyaltyflow.store.models import Customer, Order


class EarningRule(models.Model):
    """How many points members earn for what they spend."""

    name = models.CharField(max_length=100, unique=True)
    points_per_unit = models.DecimalField(
        max_digits=8,
        decimal_places=3,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.001"))],
        help_text="Points for each whole unit of currency of an order's net amount; the order's total is rounded down.",
    )
    starts_at = models.DateTimeField(help_text="Orders completed from then on earn.")
    ends_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField("active", default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Account(models.Model):
    """A customer's points, as the ledger adds up to."""

    customer = models.OneToOneField(Customer, on_delete=models.PROTECT, primary_key=True, related_name="account")
    balance = models.IntegerField(default=0, help_text="In points.")
    updated_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.balance:,} pts"


class Entry(models.Model):
    """One movement of points; rows are only added, and the balance is their sum."""

    class Kind(models.TextChoices):
        EARN = "earn", "Earned by a purchase"
        BOOST = "boost", "Given by a workflow"

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="entries", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    points = models.IntegerField(help_text="Added to the balance; negative when taken.")
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    key = models.CharField(max_length=120, unique=True, help_text="What caused it, so that it counts once.")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, blank=True, related_name="entries")
    explanation = models.CharField(max_length=200, help_text="How it was worked out, as staff and customers read it.")
    rule = models.JSONField(default=dict, db_default={}, help_text="The rule as it was at the time.")

    class Meta:
        verbose_name = "points entry"
        verbose_name_plural = "points ledger"
        constraints = [models.CheckConstraint(condition=~Q(points=0), name="a_points_entry_moves_points")]
        indexes = [
            models.Index(fields=["customer", "occurred_at"], name="entry_by_customer"),
            models.Index(fields=["occurred_at"], name="entry_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.points:+,} pts"


class Lot(models.Model):
    """The points of one credit that are still to be spent; first in, first out."""

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, primary_key=True, related_name="lot")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="lots", db_index=False)
    points = models.PositiveIntegerField()
    remaining = models.PositiveIntegerField()
    earned_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(remaining__lte=F("points")), name="no_lot_holds_more_than_it_was_given")
        ]
        indexes = [
            models.Index(
                fields=["customer", "expires_at", "earned_at"], name="lot_to_spend", condition=Q(remaining__gt=0)
            )
        ]

    def __str__(self) -> str:
        return f"{self.remaining:,} of {self.points:,} pts"
