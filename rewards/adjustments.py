"""Points that staff give or take by hand: why, how many one may move alone, and who approves what is above that."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Max, Q, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.text import capfirst

from loyaltyflow.store.models import Customer

from . import ledger
from .bill import Reason, Refusal, Refused
from .points import Entry
from .programme import Programme

if TYPE_CHECKING:
    from django.contrib.auth.models import User

DAY = timedelta(hours=24)
MOST = 10_000_000  # points in one adjustment: more is a slip of the hand


class AdjustmentReason(models.Model):
    """Why points are given or taken by hand; the customer reads it."""

    code = models.SlugField(max_length=40, unique=True, help_text="How the API names it, such as goodwill.")
    title = models.CharField(max_length=100, help_text="As customers read it, such as A thank-you from us.")
    is_active = models.BooleanField("active", default=True, help_text="Off: it is not offered any more.")

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title


class AdjustmentLimit(models.Model):
    """How many points somebody of a group may give or take alone."""

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="adjustment_limit")
    points = models.PositiveIntegerField(
        validators=[MaxValueValidator(MOST)],
        help_text="To one customer within 24 hours. For more a second person's approval is needed. Who is in several "
        "groups has the highest.",
    )

    class Meta:
        ordering = ["-points"]

    def __str__(self) -> str:
        return f"{self.group}: {self.points:,} pts"


class AdjustmentQuerySet(models.QuerySet["Adjustment"]):
    def done(self) -> "AdjustmentQuerySet":
        """Those that moved points."""
        return self.filter(state=Adjustment.State.DONE)

    def pending(self) -> "AdjustmentQuerySet":
        """Those that wait for a second person."""
        return self.filter(state=Adjustment.State.PENDING)

    def like(self, made: "Adjustment") -> "AdjustmentQuerySet":
        """Others that the same person or key gave, or took, alone with the same customer in the 24 hours before it."""
        own = self.done().filter(customer=made.customer_id, by=made.by_id, via=made.via, decided_by=None)
        same_way = Q(points__gt=0) if made.points > 0 else Q(points__lt=0)
        return own.filter(same_way, asked_at__gt=made.asked_at - DAY).exclude(pk=made.pk)

    def moved(self) -> int:
        """How many points they gave, less those that they took."""
        return int(self.done().aggregate(sum=Coalesce(Sum("points"), 0))["sum"])


class Adjustment(models.Model):
    """Points given or taken by hand: asked for by one person and, above that person's limit, decided by another."""

    class State(models.TextChoices):
        DONE = "done", "Done"
        PENDING = "pending", "Waits for approval"
        REFUSED = "refused", "Refused"

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="adjustments")
    points = models.BigIntegerField(
        validators=[MinValueValidator(-MOST), MaxValueValidator(MOST)],
        help_text="To take points away, begin with a minus: -50.",
    )
    reason = models.ForeignKey(AdjustmentReason, on_delete=models.PROTECT, related_name="adjustments")
    note = models.CharField(max_length=200, blank=True, help_text="For staff; the customer does not see it.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING, editable=False)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    via = models.CharField(max_length=80, blank=True, editable=False, help_text="The API key that asked for it.")
    asked_at = models.DateTimeField(editable=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True, editable=False)
    word = models.CharField("what was said", max_length=200, blank=True, editable=False)
    entry = models.OneToOneField(
        Entry, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="adjustment"
    )
    key = models.CharField(max_length=100, unique=True, editable=False, help_text="So that it counts once.")

    objects = AdjustmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(points=0), name="an_adjustment_moves_points"),
            models.CheckConstraint(
                condition=Q(state="done", entry__isnull=False) | (~Q(state="done") & Q(entry__isnull=True)),
                name="an_adjustment_that_is_done_is_in_the_ledger",
            ),
            models.CheckConstraint(
                condition=Q(by__isnull=True) | Q(decided_by__isnull=True) | ~Q(by=F("decided_by")),
                name="nobody_decides_on_an_adjustment_of_their_own",
            ),
            models.CheckConstraint(condition=~Q(state="refused") | ~Q(word=""), name="a_refused_adjustment_says_why"),
        ]
        indexes = [
            models.Index(fields=["-asked_at"], name="adjustment_by_time"),
            models.Index(fields=["asked_at"], name="adjustment_that_waits", condition=Q(state="pending")),
        ]
        permissions = [("approve_adjustment", "Can approve adjustments of other people")]

    def __str__(self) -> str:
        return f"{self.points:+,} pts for {self.customer}"

    @property
    def asked_by(self) -> str:
        """Who asked for it, as pages say it."""
        return self.via or (str(self.by.get_full_name() or self.by.get_username()) if self.by else "The program")


def most_alone(by: "User | None") -> int:
    """How many points the person may give or take alone, one customer a day; nobody known: an API key."""
    most = Programme.load().approval_above
    if by is None or by.is_superuser:
        return most
    limits = AdjustmentLimit.objects.filter(group__user=by.pk)
    return min(most, limits.aggregate(most=Max("points"))["most"] or 0)


@transaction.atomic
def adjust(
    customer_id: int,
    points: int,
    reason: AdjustmentReason,
    note: str,
    by: "User | None",
    key: str,
    now: datetime,
    via: str = "",
) -> Adjustment:
    """The adjustment: done at once if it is within the person's limit, else waiting for somebody's approval.

    What the same person gave or took alone with the same customer within 24 hours counts as one with it.
    The same key again changes nothing. Raises ValidationError if it cannot be asked for, and Refused if there are
    fewer points to take than that.
    """
    _must_be_fit(points, reason)
    ledger.lock([customer_id])
    _must_be_there(customer_id)
    asked = {"customer_id": customer_id, "points": points, "reason": reason}
    more = {"note": note, "by": by, "via": via, "asked_at": now}
    made, is_new = Adjustment.objects.get_or_create(key=key, defaults=asked | more)
    if not is_new:
        if any(getattr(made, name) != value for name, value in asked.items()):
            raise ValidationError("This key was used for another adjustment. Take a new one for each.")
        return made
    if abs(points + Adjustment.objects.like(made).moved()) <= most_alone(by):
        _carry_out(made, now, {})
    elif points < 0:
        _must_have(customer_id, -points, now)
    made.refresh_from_db()
    return made


def _must_be_fit(points: int, reason: AdjustmentReason) -> None:
    if not points or abs(points) > MOST:
        raise ValidationError(f"Give a number of points from -{MOST:,} to {MOST:,}, not {points:,}.")
    if not reason.is_active:
        raise ValidationError(f"“{reason}” is not used any more. Choose another reason.")


def _must_be_there(customer_id: int) -> None:
    """Raise Refused if the customer was merged or deleted meanwhile; nobody is, while their account is locked."""
    if not Customer.objects.filter(pk=customer_id).exists():
        detail = f"There is no customer {customer_id} any more. Look them up again."
        raise Refused(Refusal("customer", Reason.NOT_FOUND, detail))


def _must_have(customer_id: int, points: int, now: datetime) -> None:
    """Raise Refused if the customer cannot spend so many now: nobody need be asked for what cannot be done."""
    account = ledger.spendable([customer_id], now)[customer_id]
    if account.spendable < points:
        raise Refused(ledger.too_few(points, account))


@transaction.atomic
def approve(adjustment: Adjustment, by: "User", now: datetime, word: str = "") -> bool:
    """Whether it was waiting and its points were moved now.

    Raises ValidationError if the person may not decide on it, and Refused if the points to take are gone meanwhile.
    """
    _must_be_another(adjustment, by)
    ledger.lock([adjustment.customer_id])
    waiting = Adjustment.objects.pending().select_for_update(of=("self",)).filter(pk=adjustment.pk).first()
    if waiting is None:
        return False
    # As it stands now: its customer may have been merged since it was looked at.
    _carry_out(waiting, now, {"decided_by": by, "decided_at": now, "word": word})
    adjustment.refresh_from_db()
    return True


def refuse(adjustment: Adjustment, by: "User", now: datetime, word: str) -> bool:
    """Whether it was waiting and will not be done. Raises ValidationError without a word, or if they may not decide."""
    _must_be_another(adjustment, by)
    if not word.strip():
        raise ValidationError("Say in a few words why it is refused.")
    decided = {"decided_by": by, "decided_at": now, "word": word.strip()}
    waiting = Adjustment.objects.pending().filter(pk=adjustment.pk)
    refused = waiting.update(state=Adjustment.State.REFUSED, **decided)
    adjustment.refresh_from_db()
    return refused == 1


def _must_be_another(adjustment: Adjustment, by: "User") -> None:
    if not by.has_perm("rewards.approve_adjustment"):
        raise ValidationError("You may not approve adjustments. Ask somebody who manages staff for the permission.")
    if adjustment.by_id == by.pk:
        raise ValidationError("You asked for it yourself. Somebody else has to decide.")


def _carry_out(adjustment: Adjustment, now: datetime, decided: dict[str, object]) -> None:
    """Move the points and write down by which entry."""
    key, said = f"adjustment:{adjustment.pk}", capfirst(adjustment.reason.title)
    if adjustment.points > 0:
        more: dict[str, Any] = {"by": Value(adjustment.by_id)} if adjustment.by_id else {}
        ledger.award(
            Customer.objects.filter(pk=adjustment.customer_id),
            kind=Entry.Kind.MANUAL_ADD,
            points=Value(adjustment.points),
            key=Value(key),
            customer="pk",
            explanation=Value(said),
            now=now,
            **more,
        )
    else:
        ledger.take(
            adjustment.customer_id,
            -adjustment.points,
            key=key,
            explanation=said,
            now=now,
            by=adjustment.by,
        )
    entry = Entry.objects.get(key=key)
    Adjustment.objects.filter(pk=adjustment.pk).update(state=Adjustment.State.DONE, entry=entry, **decided)
