from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Func, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull

from loyaltyflow.sql import InArray
from loyaltyflow.store.templatetags.figures import month_day as written
from loyaltyflow.words import number, strong

from .dates import midnight

LONGEST = 364  # days; in one more, every day of the year comes round
# A day of the year as one number, counting as if each month had 31 days: 1 is January 1, 372 is December 31.
CELLS = [(month, day) for month in range(1, 13) for day in range(1, 32)]
Cell = tuple[int, int]


class MonthDayOperator(models.TextChoices):
    TODAY = "today", "is today"
    NEXT_DAYS = "next_days", "in the next days"
    PAST_DAYS = "past_days", "in the past days"
    IN_MONTH = "in_month", "in the month"
    BETWEEN = "between", "between two days of the year"
    IS_SET = "is_set", "is known"
    IS_NOT_SET = "is_not_set", "is not known"


class Month(models.IntegerChoices):
    JANUARY = 1
    FEBRUARY = 2
    MARCH = 3
    APRIL = 4
    MAY = 5
    JUNE = 6
    JULY = 7
    AUGUST = 8
    SEPTEMBER = 9
    OCTOBER = 10
    NOVEMBER = 11
    DECEMBER = 12


MOVING = {MonthDayOperator.TODAY, MonthDayOperator.NEXT_DAYS, MonthDayOperator.PAST_DAYS}
COUNTED = {str(MonthDayOperator.NEXT_DAYS), str(MonthDayOperator.PAST_DAYS)}
OF_THE_YEAR: dict[str, Any] = {"null": True, "blank": True, "validators": [MinValueValidator(1), MaxValueValidator(31)]}


class ComparesMonthDay(models.Model):
    """Compares a day of the year; both ends of “between” count, and it may lead over New Year.

    In years without a February 29, February 28 takes its place.
    """

    operator = models.CharField(max_length=12, choices=MonthDayOperator.choices, default=MonthDayOperator.NEXT_DAYS)
    days = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(LONGEST)], help_text="Today counts, too."
    )
    month = models.PositiveSmallIntegerField(choices=Month.choices, null=True, blank=True)
    day = models.PositiveSmallIntegerField("day of the month", **OF_THE_YEAR)
    last_month = models.PositiveSmallIntegerField("up to the month", choices=Month.choices, null=True, blank=True)
    last_day = models.PositiveSmallIntegerField("and its day", help_text="The last day that counts.", **OF_THE_YEAR)

    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {
        "days": ("operator", COUNTED),
        "month": ("operator", {MonthDayOperator.IN_MONTH, MonthDayOperator.BETWEEN}),
        "day": ("operator", {MonthDayOperator.BETWEEN}),
        "last_month": ("operator", {MonthDayOperator.BETWEEN}),
        "last_day": ("operator", {MonthDayOperator.BETWEEN}),
    }
    units: ClassVar[dict[str, str]] = {"days": "days"}

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse a question without what it asks for, and days that no year has."""
        super().clean()
        label = MonthDayOperator(self.operator).label if self.operator in MonthDayOperator.values else self.operator
        for name, wanted in WANTED.items():
            if self.operator in ComparesMonthDay.asked_with[name][1] and getattr(self, name) is None:
                raise ValidationError({name: f"“{label}” needs {wanted}. None was given."})
        if self.operator == MonthDayOperator.BETWEEN:
            for month, day in (("month", "day"), ("last_month", "last_day")):
                last = monthrange(2000, getattr(self, month))[1]
                if getattr(self, day) > last:
                    name = Month(getattr(self, month)).label
                    raise ValidationError({day: f"{name} has no day {getattr(self, day)}. Its last day is {last}."})

    def compares(self, cell: Combinable, now: datetime) -> Q:
        """Whether the day of the year, a number over customers that may be NULL, is as asked at `now`."""
        match self.operator:
            case MonthDayOperator.IS_SET:
                return Q(IsNull(cell, False))
            case MonthDayOperator.IS_NOT_SET:
                return Q(IsNull(cell, True))
        met = [number for number, each in enumerate(CELLS, 1) if self._holds(each, now.date())]
        return Q(Coalesce(InArray(cell, met), Value(False)))

    def turns(self, cell: Combinable, now: datetime) -> Combinable | None:
        """When the answer may change by itself: by the calendar, which is read here and looked up by PostgreSQL."""
        if self.operator in (MonthDayOperator.IN_MONTH, MonthDayOperator.IS_SET, MonthDayOperator.IS_NOT_SET):
            return None
        return at_midnights([self._turns(each, now.date()) for each in CELLS], cell, now)

    def begins(self, now: datetime) -> datetime:
        """Local midnight of the first day that is near enough at `now`."""
        back = self.days or 0 if self.operator == MonthDayOperator.PAST_DAYS else 0
        return midnight(now.date(), now.tzinfo, -back)

    def said(self) -> str:
        """The comparison as the end of a phrase: “in the next 7 days”, “between Dec 15 and Jan 15”."""
        many = strong(number(self.days or 0, "day"))
        match self.operator:
            case MonthDayOperator.NEXT_DAYS | MonthDayOperator.PAST_DAYS if self.days:
                return f"in the {'next' if self.operator == MonthDayOperator.NEXT_DAYS else 'past'} {many}"
            case MonthDayOperator.IN_MONTH:
                return f"in {strong(Month(self.month or 1).label)}"
            case MonthDayOperator.BETWEEN:
                first, last = (self.month or 1, self.day or 1), (self.last_month or 12, self.last_day or 31)
                return f"between {strong(written(*first))} and {strong(written(*last))}"
        return strong("today")

    def _holds(self, cell: Cell, today: date) -> bool:
        match self.operator:
            case MonthDayOperator.IN_MONTH:
                return cell[0] == self.month
            case MonthDayOperator.BETWEEN:
                return self._lies_between(in_year(cell, today.year), today.year)
        return any(first <= today <= last for first, last in self._spans(cell, today.year))

    def _lies_between(self, day: date, year: int) -> bool:
        first = in_year((self.month or 1, self.day or 1), year)
        last = in_year((self.last_month or 12, self.last_day or 31), year)
        return (
            first <= day <= last
            if (self.month, self.day) <= (self.last_month, self.last_day)
            else (day >= first or day <= last)
        )

    def _turns(self, cell: Cell, today: date) -> date | None:
        if self.operator == MonthDayOperator.BETWEEN:  # only leap years make a difference, and only at their day
            return date(today.year + 1, 1, 1) if cell >= (2, 28) and cell[0] == 2 else None
        ends = [day for first, last in self._spans(cell, today.year) for day in (first, last + timedelta(days=1))]
        return min(day for day in ends if day > today)

    def _spans(self, cell: Cell, year: int) -> Iterator[tuple[date, date]]:
        """From when to when the day is near enough, in the years around this one."""
        days = timedelta(days=self.days or 0)
        for each in range(year - 1, year + 3):
            day = in_year(cell, each)
            match self.operator:
                case MonthDayOperator.NEXT_DAYS:
                    yield day - days, day
                case MonthDayOperator.PAST_DAYS:
                    yield day, day + days
                case _:
                    yield day, day


WANTED = {
    "days": "a number of days, such as 7",
    "month": "a month",
    "day": "the day of the month on which it begins",
    "last_month": "the month in which it ends",
    "last_day": "the last day that counts",
}


class CellOf(Func):
    """The day of the year on which an instant lies on the clock of a zone, as a number; NULL if there is none."""

    output_field = models.IntegerField()
    template = (
        "(SELECT (extract(month FROM local) - 1)::integer * 31 + extract(day FROM local)::integer"
        " FROM (SELECT (%(expressions)s) OFFSET 0) AS instants (local))"
    )
    arg_joiner = ") AT TIME ZONE ("

    def __init__(self, instant: Combinable, zone: str) -> None:
        super().__init__(instant, Value(zone))


class LookedUp(Func):
    """The instant that stands in a list at the place that a number over customers says."""

    output_field = models.DateTimeField()
    template = "(%(expressions)s)"

    def __init__(self, cell: Combinable, instants: list[datetime | None]) -> None:
        super().__init__(cell)
        self.instants = instants

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        cell, parameters = compiler.compile(self.source_expressions[0])
        return f"((%s::timestamptz[])[{cell}])", [self.instants, *parameters]

    @property
    def identity(self) -> tuple[Any, ...]:
        return (*super().identity, tuple(self.instants))


def in_year(cell: Cell, year: int) -> date:
    """The day on which it falls in that year: the last of its month if there is no such day."""
    month, day = cell
    return date(year, month, min(day, monthrange(year, month)[1]))


def at_midnights(days: list[date | None], cell: Combinable, now: datetime) -> Combinable:
    """The midnight, on the clock of `now`, of the day that stands in a list of days by cell; NULL if there is none."""
    known = {day: midnight(day, now.tzinfo) for day in {*days} if day}
    return LookedUp(cell, [known.get(day) if day else None for day in days])
