from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from .base import Batch, Node


class Wait(Node):
    """Waits, then goes on. Minutes and hours are elapsed time; days, weeks and months end at the same time of day."""

    icon = "schedule"

    class Unit(models.TextChoices):
        MINUTES = "minutes", "minutes"
        HOURS = "hours", "hours"
        DAYS = "days", "days"
        WEEKS = "weeks", "weeks"
        MONTHS = "months", "months"

    LONGEST = {Unit.MINUTES: 365 * 24 * 60, Unit.HOURS: 365 * 24, Unit.DAYS: 365, Unit.WEEKS: 52, Unit.MONTHS: 12}

    amount = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    unit = models.CharField(max_length=8, choices=Unit.choices, default=Unit.DAYS)

    class Meta:
        verbose_name = verbose_name_plural = "wait"

    def clean(self) -> None:
        super().clean()
        longest = self.LONGEST[self.Unit(self.unit)]
        if self.amount and self.amount > longest:
            sentence = f"A wait is at most 365 days, which is {longest:,} {self.unit}; this one is {self.amount:,}."
            raise ValidationError({"amount": sentence})

    def summary(self) -> str:
        return f"Wait {self.amount:,} {self.unit if self.amount != 1 else self.unit.removesuffix('s')}"

    def due(self, now: datetime) -> datetime:
        """The end of the wait; a day counts as one on the clock that `now` carries, even if it has 23 or 25 hours."""
        if self.unit == self.Unit.MONTHS:
            return _months_later(now, self.amount)
        if self.unit in (self.Unit.DAYS, self.Unit.WEEKS):
            return now + timedelta(**{self.unit: self.amount})
        return (now.astimezone(UTC) + timedelta(**{self.unit: self.amount})).astimezone(now.tzinfo)

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        yield "next", batch.ids


def _months_later(now: datetime, months: int) -> datetime:
    """The same day and time of day so many months later, or the last day of a month that is too short."""
    year, month = divmod(now.year * 12 + now.month - 1 + months, 12)
    return now.replace(year=year, month=month + 1, day=min(now.day, monthrange(year, month + 1)[1]))
