from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.db.models import Case, Q, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Left
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual, Regex

from loyaltyflow.store.templatetags.figures import day as written
from loyaltyflow.words import number, strong

from ..comparisons.dates import FIRST, LAST, LONGEST, DateOperator
from .base import KNOWN, Kind, is_a, surely, two


class Date(Kind):
    """The day as it is written, such as 2026-09-01, whatever time of day stands after it."""

    name = "date"
    operators: ClassVar[dict[str, str]] = {
        str(value): str(label) if value in KNOWN else f"is {label}" for value, label in DateOperator.choices
    }
    relative: ClassVar[set[str]] = {str(each) for each in list(DateOperator)[:4]}

    @classmethod
    def read(cls, operator: str, value: Any) -> Any:
        if operator in cls.relative:
            days = str(value).removesuffix("days").removesuffix("day").strip()
            if isinstance(value, bool) or not days.isdecimal() or int(days) > LONGEST:
                raise ValueError(f"needs a number of days up to {LONGEST:,}, such as 21")
            return int(days)
        if operator == DateOperator.BETWEEN:
            first, last = (_day(each) for each in two(value, "two days, such as 2026-09-01 and 2026-09-30"))
            if last < first:
                raise ValueError(f"needs the earlier day first: {last} is before {first}")
            return [first, last]
        return _day(value)

    @classmethod
    def q(cls, name: str, operator: str, value: Any, now: datetime) -> Q:
        text = KeyTextTransform(name, "properties")
        written_out = Regex(text, Value(r"^\d{4}-\d\d-\d\d([^\d]|$)"))
        day = Case(When(is_a("string", name) & Q(written_out), then=Left(text, 10)))
        if operator == DateOperator.NOT_ON:
            return surely(LessThan(day, Value(value))) | surely(GreaterThan(day, Value(value)))
        first, last = cls.span(operator, value, now.date())
        asked = surely(GreaterThanOrEqual(day, Value(first))) if first else Q()
        return asked & (surely(LessThanOrEqual(day, Value(last))) if last else Q())

    @staticmethod
    def span(operator: str, value: Any, today: date) -> tuple[str | None, str | None]:
        """The first and the last day that are meant; None where there is no such end."""

        def away(days: int) -> str:
            return (today + timedelta(days=days)).isoformat()

        def next_to(days: int) -> str:
            return (date.fromisoformat(value) + timedelta(days=days)).isoformat()

        spans: dict[str, Any] = {
            DateOperator.PAST_DAYS: lambda: (away(-value), away(0)),
            DateOperator.NEXT_DAYS: lambda: (away(0), away(value)),
            DateOperator.DAYS_AGO: lambda: (None, away(-value - 1)),
            DateOperator.DAYS_AHEAD: lambda: (away(value + 1), None),
            DateOperator.ON: lambda: (value, value),
            DateOperator.BEFORE: lambda: (None, next_to(-1)),
            DateOperator.ON_OR_BEFORE: lambda: (None, value),
            DateOperator.AFTER: lambda: (next_to(1), None),
            DateOperator.ON_OR_AFTER: lambda: (value, None),
            DateOperator.BETWEEN: lambda: tuple(value),
        }
        first, last = spans[operator]()
        return first, last

    @classmethod
    def said(cls, operator: str, value: Any) -> str:
        many = strong(number(value, "day")) if isinstance(value, int) else ""
        match operator:
            case DateOperator.PAST_DAYS:
                return f"is in the past {many}"
            case DateOperator.NEXT_DAYS:
                return f"is in the next {many}"
            case DateOperator.DAYS_AGO | DateOperator.DAYS_AHEAD:
                return f"is more than {many} {'ago' if operator == DateOperator.DAYS_AGO else 'ahead'}"
        days = [strong(written(date.fromisoformat(each))) for each in (value if isinstance(value, list) else [value])]
        return f"{cls.operators[operator]} {' and '.join(days)}"


def _day(value: Any) -> str:
    try:
        day = date.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError("needs a day, such as 2026-09-01") from None
    if not FIRST <= day <= LAST:
        raise ValueError(f"needs a day from {FIRST.year} to {LAST.year}")
    return day.isoformat()
