from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from loyaltyflow.only_added import append_only
from loyaltyflow.store.models import Customer, Order


class Account(models.Model):
    """A customer's points, as the ledger adds up to."""

    customer = models.OneToOneField(Customer, on_delete=models.PROTECT, primary_key=True, related_name="account")
    balance = models.BigIntegerField(
        default=0, help_text="In points: what the ledger adds up to, those that cannot be spent yet included."
    )
    owed = models.PositiveBigIntegerField(
        default=0, db_default=0, help_text="Points taken back that were spent already; later ones pay for them first."
    )
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "points account"

    def __str__(self) -> str:
        return f"{self.balance:,} pts"


class EntryQuerySet(models.QuerySet["Entry"]):
    def last_gifts(self, customers: Sequence[int]) -> "EntryQuerySet":
        """For each of the customers the latest entry that a workflow made."""
        gifts = self.filter(customer__any=customers, kind=Entry.Kind.BOOST)
        return gifts.order_by("customer_id", "-occurred_at", "-pk").distinct("customer_id")

    def gained(self) -> "EntryQuerySet":
        """Points that customers got, not those that only came back or came over from somebody else."""
        return self.filter(kind__in=GAINS)

    def update(self, **fields: Any) -> int:
        """Refused: the ledger is only added to."""
        raise ValidationError(Entry.ONLY_ADDED)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refused: the ledger is only added to."""
        raise ValidationError(Entry.ONLY_ADDED)


class Entry(models.Model):
    """One movement of points; rows are only added, and the balance is their sum."""

    class Kind(models.TextChoices):
        EARN = "earn", "Earned"
        BOOST = "boost", "Given by a workflow"
        WELCOME = "welcome", "Given for joining"
        TIER_BONUS = "tier_bonus", "Given for reaching a tier"
        MANUAL_ADD = "manual_add", "Added by staff"
        MANUAL_REMOVE = "manual_remove", "Taken by staff"
        REDEEM = "redeem", "Redeemed"
        REDEEM_REVERSAL = "redeem_reversal", "Given back after redeeming"
        REFUND_REVERSAL = "refund_reversal", "Taken back after a return"
        FORGIVEN = "forgiven", "Forgiven after a return"
        EXPIRE = "expire", "Expired"
        TRANSFER_IN = "transfer_in", "Came from another customer"
        TRANSFER_OUT = "transfer_out", "Went to another customer"
        MIGRATION = "migration", "Brought from another system"

        @property
        def event(self) -> str:
            """The event that tells of such a movement."""
            return EVENTS[self]

    ONLY_ADDED = "The points ledger is only added to. Correct an entry by a new one that takes it back."

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="entries", db_index=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    points = models.BigIntegerField(help_text="Added to the balance; negative when taken.")
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    key = models.CharField(max_length=120, unique=True, help_text="What caused it, so that it counts once.")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, blank=True, related_name="entries")
    explanation = models.CharField(max_length=200, help_text="How it was worked out, as staff and customers read it.")
    rule = models.JSONField(default=dict, db_default={}, help_text="The rule as it was at the time.")
    reverses = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="reversals",
        help_text="The entry that this one takes back, wholly or in part, or whose other half it is.",
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name = "points entry"
        verbose_name_plural = "points entries"
        constraints = [models.CheckConstraint(condition=~Q(points=0), name="a_points_entry_moves_points")]
        indexes = [
            models.Index(fields=["customer", "occurred_at"], name="entry_by_customer"),
            models.Index(fields=["occurred_at"], name="entry_by_time"),
        ]
        triggers = append_only("The points ledger is only added to. Correct an entry by a new one that takes it back.")

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


GAINS = (
    Entry.Kind.EARN,
    Entry.Kind.BOOST,
    Entry.Kind.WELCOME,
    Entry.Kind.TIER_BONUS,
    Entry.Kind.MANUAL_ADD,
    Entry.Kind.MIGRATION,
)
EVENTS = {
    Entry.Kind.EARN: "points_earned",
    Entry.Kind.BOOST: "points_given",
    Entry.Kind.WELCOME: "points_given",
    Entry.Kind.TIER_BONUS: "points_given",
    Entry.Kind.MANUAL_ADD: "points_adjusted",
    Entry.Kind.MANUAL_REMOVE: "points_adjusted",
    Entry.Kind.REDEEM: "points_redeemed",
    Entry.Kind.REDEEM_REVERSAL: "points_given_back",
    Entry.Kind.REFUND_REVERSAL: "points_taken_back",
    Entry.Kind.FORGIVEN: "points_forgiven",
    Entry.Kind.EXPIRE: "points_expired",
    Entry.Kind.TRANSFER_IN: "points_transferred",
    Entry.Kind.TRANSFER_OUT: "points_transferred",
    Entry.Kind.MIGRATION: "points_given",
}


class LotQuerySet(models.QuerySet["Lot"]):
    def to_spend(self, now: datetime) -> "LotQuerySet":
        """Lots whose points can be spent at `now`, those that expire first before others."""
        unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
        lots = self.filter(unexpired, remaining__gt=0, available_at__lte=now)
        return lots.order_by(F("expires_at").asc(nulls_last=True), "earned_at", "pk")

    def pending(self, now: datetime) -> "LotQuerySet":
        """Lots that wait until a purchase cannot be returned any more."""
        return self.filter(remaining__gt=0, available_at__gt=now)


class Lot(models.Model):
    """The points of one credit, and how many of them are left; those that expire first are spent first."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        ACTIVE = "active", "Can be spent"
        SPENT = "spent", "Spent"
        EXPIRED = "expired", "Expired"
        CANCELLED = "cancelled", "Taken back"

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, primary_key=True, related_name="lot")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="lots", db_index=False)
    points = models.PositiveBigIntegerField()
    remaining = models.PositiveBigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE, db_default=State.ACTIVE)
    earned_at = models.DateTimeField()
    available_at = models.DateTimeField(help_text="From then on they can be spent.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="From then on they cannot be spent.")
    idle_months = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="So many months after the last purchase they expire, if that decides it."
    )
    days_warned = models.PositiveSmallIntegerField(
        null=True, blank=True, editable=False, help_text="The customer was told so many days before they expire."
    )

    objects = LotQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(remaining__lte=F("points")), name="no_lot_holds_more_than_it_was_given"),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "active"], remaining__gt=0)
                | Q(state__in=["spent", "expired", "cancelled"], remaining=0),
                name="a_lot_in_use_has_points_left",
            ),
        ]
        indexes = [
            models.Index(
                fields=["customer", "expires_at", "earned_at"], name="lot_to_spend", condition=Q(remaining__gt=0)
            ),
            models.Index(fields=["customer", "available_at"], name="lot_by_customer"),
            models.Index(fields=["available_at"], name="lot_that_waits", condition=Q(state="pending")),
            models.Index(
                fields=["expires_at"],
                name="lot_that_expires",
                condition=Q(remaining__gt=0, expires_at__isnull=False),
            ),
            # Nobody was warned of these, or only long before: a tick reads no more than what is due newly.
            models.Index(
                fields=["expires_at"],
                name="lot_to_warn_of",
                condition=Q(remaining__gt=0, days_warned__isnull=True, expires_at__isnull=False),
            ),
            models.Index(
                fields=["expires_at"], name="lot_to_warn_of_again", condition=Q(remaining__gt=0, days_warned__gt=7)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.remaining:,} of {self.points:,} pts"


class Draw(models.Model):
    """So many points that an entry took from a lot, or put back (below 0); rows are only added.

    Without a lot they were owed: there was nothing left to take them from. When later points pay for them, one row
    takes from their lot and another takes the same off what is owed. So an entry's points are those of its own lot less
    its draws, what is left of a lot is its points less the draws on it, and what a customer owes are the draws on no
    lot.
    """

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="draws")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, null=True, blank=True, related_name="draws")
    points = models.BigIntegerField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(points=0), name="a_draw_moves_points")]
        triggers = append_only("What was drawn from points is only added to. Correct it by a new entry.")

    def __str__(self) -> str:
        return f"{self.points:+,} pts"
