from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, IsNull, LessThan

from loyaltyflow.sql import LocalDayStart, Once
from loyaltyflow.store.templatetags.figures import day as written
from loyaltyflow.words import number, strong

LONGEST = 36_500  # days; much further away there are no dates
FIRST, LAST = date(1900, 1, 1), date(2200, 12, 31)
IN_REACH = [
    MinValueValidator(FIRST, "No day before 1900 can be asked for. Write a later one."),
    MaxValueValidator(LAST, "No day after 2200 can be asked for. Write an earlier one."),
]


class DateOperator(models.TextChoices):
    PAST_DAYS = "past_days", "in the past days"
    NEXT_DAYS = "next_days", "in the next days"
    DAYS_AGO = "more_than_days_ago", "more than so many days ago"
    DAYS_AHEAD = "more_than_days_ahead", "more than so many days ahead"
    ON = "on", "on"
    NOT_ON = "not_on", "not on"
    BEFORE = "before", "before"
    ON_OR_BEFORE = "on_or_before", "on or before"
    AFTER = "after", "after"
    ON_OR_AFTER = "on_or_after", "on or after"
    BETWEEN = "between", "between"
    IS_SET = "is_set", "is known"
    IS_NOT_SET = "is_not_set", "is not known"


RELATIVE = {str(each) for each in list(DateOperator)[:4]}
WITH_DAY = {str(each) for each in list(DateOperator)[4:11]}
NULL = Value(None, output_field=models.DateTimeField())


class ComparesDate(models.Model):
    """Compares the day of an instant on the store's calendar; both ends of “between” count, and today always does.

    “In the past 21 days” is the day 21 days ago or later, up to now; “more than 21 days ago” is any day before that.
    “In the next 7 days” is today or one of the 7 days after it. What is not known is on no day and not on none.
    """

    operator = models.CharField(max_length=22, choices=DateOperator.choices, default=DateOperator.PAST_DAYS)
    days = models.PositiveIntegerField(null=True, blank=True, validators=[MaxValueValidator(LONGEST)])
    date = models.DateField(null=True, blank=True, validators=IN_REACH)
    until = models.DateField("and", null=True, blank=True, validators=IN_REACH, help_text="The last day that counts.")

    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {
        "days": ("operator", RELATIVE),
        "date": ("operator", WITH_DAY),
        "until": ("operator", {DateOperator.BETWEEN}),
    }
    units: ClassVar[dict[str, str]] = {"days": "days"}

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse a question without the day, or the number of days, that it asks for."""
        super().clean()
        label = DateOperator(self.operator).label if self.operator in DateOperator.values else self.operator
        if self.operator in RELATIVE and self.days is None:
            raise ValidationError({"days": f"“{label}” needs a number of days, such as 21. None was given."})
        if self.operator in WITH_DAY and self.date is None:
            raise ValidationError({"date": f"“{label}” needs a day, such as 2026-09-01. None was given."})
        if self.operator == DateOperator.BETWEEN:
            if self.until is None:
                raise ValidationError({"until": "“between” needs a last day. None was given."})
            if self.date and self.until < self.date:
                reason = f"{written(self.until)} is before {written(self.date)}: write the earlier day first."
                raise ValidationError({"until": reason})

    def compares(self, instant: Combinable, now: datetime) -> Q:
        """Whether the instant, an expression over customers that may be NULL, lies as asked at `now`."""
        match self.operator:
            case DateOperator.IS_SET:
                return Q(IsNull(instant, False))
            case DateOperator.IS_NOT_SET:
                return Q(IsNull(instant, True))
        span = self._span(now)
        if isinstance(instant, F):
            return self._asked(instant, *span)
        return Q(Once(instant, lambda at: self._asked(at, *span), models.BooleanField()))

    def turns(self, instant: Combinable, now: datetime) -> Combinable | None:
        """When the answer may change by itself: only what is said from today on moves with the clock."""
        if self.operator not in RELATIVE:
            return None
        if isinstance(instant, F):
            return self._next_turn(instant, now)
        return Once(instant, lambda at: self._next_turn(at, now), models.DateTimeField())

    def _next_turn(self, instant: Combinable, now: datetime) -> Combinable:
        """Each begin or end that is still to come, in the order of time; which are is seen from the instant itself."""
        days = self.days or 0
        comes = When(Q(GreaterThan(instant, now)), then=instant)
        begins, ends, passes = (self._day_after(instant, each, now) for each in (-days, days + 1, 1))
        turns = {
            DateOperator.PAST_DAYS: [comes, ends],
            DateOperator.NEXT_DAYS: [begins, passes],
            DateOperator.DAYS_AGO: [ends],
            DateOperator.DAYS_AHEAD: [begins],
        }
        return Case(*turns[DateOperator(self.operator)], default=NULL, output_field=models.DateTimeField())

    @staticmethod
    def _day_after(instant: Combinable, days: int, now: datetime) -> When:
        """The midnight that begins the day so many days after the instant's, if it is still to come."""
        is_to_come = GreaterThanOrEqual(instant, midnight(now.date(), now.tzinfo, 1 - days))
        return When(Q(is_to_come), then=LocalDayStart(instant, now.tzinfo.key, days))  # type: ignore[union-attr]

    def said(self) -> str:
        """The comparison as the end of a phrase: “in the past 21 days”, “on or after Sep 1”."""
        many = strong(number(self.days or 0, "day"))
        match self.operator:
            case DateOperator.PAST_DAYS:
                return f"in the past {many}" if self.days else strong("today")
            case DateOperator.NEXT_DAYS:
                return f"in the next {many}" if self.days else strong("today")
            case DateOperator.DAYS_AGO:
                return f"{strong('more than')} {many} ago"
            case DateOperator.DAYS_AHEAD:
                return f"{strong('more than')} {many} ahead"
            case DateOperator.NOT_ON:
                return f"on {strong('another day')} than {strong(written(self.date))}"
            case DateOperator.BETWEEN:
                return f"between {strong(written(self.date))} and {strong(written(self.until))}"
            case DateOperator.IS_SET | DateOperator.IS_NOT_SET:
                return ""
        return f"{DateOperator(self.operator).label} {strong(written(self.date))}"

    def _span(self, now: datetime) -> tuple[Any, Any]:
        """The first instant that is meant, and the first after it that is not; None where there is no such end."""
        today, days, date, until = now.date(), self.days or 0, self.date or now.date(), self.until or now.date()
        zone = now.tzinfo
        match self.operator:
            case DateOperator.PAST_DAYS:
                return midnight(today, zone, -days), _just_after(now)
            case DateOperator.NEXT_DAYS:
                return midnight(today, zone), midnight(today, zone, days + 1)
            case DateOperator.DAYS_AGO:
                return None, midnight(today, zone, -days)
            case DateOperator.DAYS_AHEAD:
                return midnight(today, zone, days + 1), None
            case DateOperator.BEFORE:
                return None, midnight(date, zone)
            case DateOperator.ON_OR_BEFORE:
                return None, midnight(date, zone, 1)
            case DateOperator.AFTER:
                return midnight(date, zone, 1), None
            case DateOperator.ON_OR_AFTER:
                return midnight(date, zone), None
            case DateOperator.BETWEEN:
                return midnight(date, zone), midnight(until, zone, 1)
        return midnight(date, zone), midnight(date, zone, 1)

    def _asked(self, instant: Combinable, start: datetime | None, end: datetime | None) -> Q:
        within = self._within(instant, start, end)
        return Q(IsNull(instant, False)) & ~within if self.operator == DateOperator.NOT_ON else within

    @staticmethod
    def _within(instant: Combinable, start: datetime | None, end: datetime | None) -> Q:
        asked = Q()
        if start is not None:
            asked &= _surely(GreaterThanOrEqual(instant, start))
        if end is not None:
            asked &= _surely(LessThan(instant, end))
        return asked


def midnight(day: date, zone: Any, days: int = 0) -> datetime:
    """The instant at which the day so many days after `day` begins on the clock of `zone`, as LocalDayStart finds it.

    A midnight that the clock strikes twice is the first of the two; one that it skips is where the clock goes on.
    """
    local = datetime.combine(day + timedelta(days=days), time.min)
    second = timedelta(seconds=1)
    return min(_read_on(local, zone), _read_on(local - second, zone) + second).astimezone(zone)


def _read_on(local: datetime, zone: Any) -> datetime:
    """The instant at which the clock of `zone` shows this time; of times that it shows twice or skips, the later."""
    ahead = min(local.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return (local - ahead).replace(tzinfo=UTC)


def _just_after(now: datetime) -> datetime:
    return (now.astimezone(UTC) + timedelta(microseconds=1)).astimezone(now.tzinfo)


def _surely(comparison: Any) -> Q:
    """The comparison, with “no” where it cannot be told because the instant is not known."""
    return Q(Coalesce(comparison, Value(False), output_field=models.BooleanField()))
