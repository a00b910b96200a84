from datetime import date, datetime
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, OuterRef, Q
from django.db.models.expressions import Combinable

from loyaltyflow.sql import LocalDayStart
from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import day as written
from loyaltyflow.words import number, strong

from .dates import LONGEST, midnight

DAYS = [MinValueValidator(date(1900, 1, 1)), MaxValueValidator(date(2999, 12, 31))]


class CustomerDate(models.TextChoices):
    """The instants that are known of a customer."""

    REGISTERED = "registered_at", "registered"
    PROFILE_COMPLETED = "profile_completed_at", "completed the profile"
    JOINED = "loyalty_joined_at", "joined the loyalty programme"
    LEFT = "loyalty_left_at", "left the loyalty programme"
    ADDED = "created_at", "became known to the store"


class InWindow(models.Model):
    """Counts only what happened in a time: the past days, between two days, or since a day of the customer's own.

    None of them: ever. Days are calendar days of the store: what was 21 days ago, at whatever hour, is in the past 21.
    """

    window_days = models.PositiveIntegerField(
        "in the past", null=True, blank=True, validators=[MaxValueValidator(LONGEST)], help_text="0: today."
    )
    since = models.DateField("from", null=True, blank=True, validators=DAYS, help_text="The first day that counts.")
    until = models.DateField("to", null=True, blank=True, validators=DAYS, help_text="The last day that counts.")
    since_own = models.CharField("since the customer", max_length=24, choices=CustomerDate.choices, blank=True)

    units: ClassVar[dict[str, str]] = {"window_days": "days"}

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse two sorts of time at once, and a time that ends before it begins."""
        super().clean()
        sorts = [self.window_days is not None, bool(self.since or self.until), bool(self.since_own)]
        if sum(sorts) > 1:
            reason = "More than one time was given. Choose past days, two days, or a day of the customer's own."
            raise ValidationError({"window_days": reason})
        if self.since and self.until and self.until < self.since:
            reason = f"{written(self.until)} is before {written(self.since)}: write the earlier day first."
            raise ValidationError({"until": reason})

    def inside(self, column: str, now: datetime, customer: Customer | None = None, *, path: str = "") -> Q:
        """Which rows count, by the instant in their `column`.

        The rows stand in a subquery over customers, or are all of one customer who is given; if they may be anybody's,
        `path` leads from a row to its customer.
        """
        asked, zone = Q((f"{column}__lte", now)), now.tzinfo
        if self.window_days is not None:
            asked &= Q((f"{column}__gte", midnight(now.date(), zone, -self.window_days)))
        if self.since:
            asked &= Q((f"{column}__gte", midnight(self.since, zone)))
        if self.until:
            asked &= Q((f"{column}__lt", midnight(self.until, zone, 1)))
        if self.since_own:
            theirs = F(f"{path}__{self.since_own}") if path else OuterRef(self.since_own)
            own = theirs if customer is None else getattr(customer, self.since_own)
            asked &= Q((f"{column}__gte", own)) if own is not None else Q(pk__in=[])
        return asked

    def falls_out(self, instant: Combinable, now: datetime) -> Combinable | None:
        """When what happened at the instant no longer counts; None if it counts for good."""
        if self.window_days is None:
            return None
        zone = now.tzinfo.key  # type: ignore[union-attr]
        return LocalDayStart(instant, zone, self.window_days + 1)

    def when(self) -> str:
        """The time as the end of a phrase, with its space before it; empty for ever."""
        if self.window_days == 0:
            return f" {strong('today')}"
        if self.window_days is not None:
            many = "day" if self.window_days == 1 else number(self.window_days, "day")
            return f" in the past {strong(many)}"
        if self.since and self.until:
            return f" between {strong(written(self.since))} and {strong(written(self.until))}"
        if self.since or self.until:
            word, one = ("since", self.since) if self.since else ("up to", self.until)
            return f" {word} {strong(written(one))}"
        return f" since they {strong(CustomerDate(self.since_own).label)}" if self.since_own else ""
