from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce, Now

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
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="an_earning_rule_ends_after_it_starts",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def in_force(self, field: str) -> Q:
        """Rows whose moment in `field` lies within the rule's time, the end left out."""
        started = Q((f"{field}__gte", self.starts_at))
        return started & Q((f"{field}__lt", self.ends_at)) if self.ends_at else started

    def snapshot(self) -> dict[str, Any]:
        """The rule as it is now, to keep with each entry."""
        return {"rule": self.pk, "name": self.name, "points_per_unit": str(self.points_per_unit)}


class AccountQuerySet(models.QuerySet["Account"]):
    def unproved(self) -> models.QuerySet[Any, Any]:
        """Accounts whose balance is not both `moved`, the sum of the entries, and `left`, what is left of the lots."""
        entries = Entry.objects.filter(customer=OuterRef("pk")).order_by().values("customer")
        lots = Lot.objects.filter(customer=OuterRef("pk")).order_by().values("customer")
        moved, left = entries.annotate(sum=Sum("points")), lots.annotate(sum=Sum("remaining"))
        accounts = self.annotate(
            moved=Coalesce(Subquery(moved.values("sum")), 0), left=Coalesce(Subquery(left.values("sum")), 0)
        )
        return accounts.exclude(balance=F("moved"), left=F("balance"))


class Account(models.Model):
    """A customer's points, as the ledger adds up to."""

    customer = models.OneToOneField(Customer, on_delete=models.PROTECT, primary_key=True, related_name="account")
    balance = models.BigIntegerField(default=0, help_text="In points.")
    updated_at = models.DateTimeField(db_default=Now())

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = "points account"

    def __str__(self) -> str:
        return f"{self.balance:,} pts"


class EntryQuerySet(models.QuerySet["Entry"]):
    def last_gifts(self, customers: Sequence[int]) -> "EntryQuerySet":
        """For each of the customers the latest entry that a workflow made."""
        gifts = self.filter(customer__any=customers, kind=Entry.Kind.BOOST)
        return gifts.order_by("customer_id", "-occurred_at", "-pk").distinct("customer_id")

    def update(self, **fields: Any) -> int:
        """Refused: the ledger is only added to."""
        raise ValidationError(Entry.ONLY_ADDED)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refused: the ledger is only added to."""
        raise ValidationError(Entry.ONLY_ADDED)


class Entry(models.Model):
    """One movement of points; rows are only added, and the balance is their sum."""

    class Kind(models.TextChoices):
        EARN = "earn", "Earned by a purchase"
        BOOST = "boost", "Given by a workflow"

        @property
        def event(self) -> str:
            """The event that tells of such a movement."""
            return "points_earned" if self is Entry.Kind.EARN else "points_given"

    ONLY_ADDED = "The points ledger is only added to. Correct an entry by a new one that takes it back."

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="entries", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    points = models.BigIntegerField(help_text="Added to the balance; negative when taken.")
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    key = models.CharField(max_length=120, unique=True, help_text="What caused it, so that it counts once.")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, blank=True, related_name="entries")
    explanation = models.CharField(max_length=200, help_text="How it was worked out, as staff and customers read it.")
    rule = models.JSONField(default=dict, db_default={}, help_text="The rule as it was at the time.")

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name = "points entry"
        verbose_name_plural = "points entries"
        constraints = [models.CheckConstraint(condition=~Q(points=0), name="a_points_entry_moves_points")]
        indexes = [
            models.Index(fields=["customer", "occurred_at"], name="entry_by_customer"),
            models.Index(fields=["occurred_at"], name="entry_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.points:+,} pts"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the entry; a change to one that is there is refused."""
        if not self._state.adding:
            raise ValidationError(self.ONLY_ADDED)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refused: the ledger is only added to."""
        raise ValidationError(self.ONLY_ADDED)


class Lot(models.Model):
    """The points of one credit that are still to be spent; first in, first out."""

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, primary_key=True, related_name="lot")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="lots", db_index=False)
    points = models.PositiveBigIntegerField()
    remaining = models.PositiveBigIntegerField()
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
