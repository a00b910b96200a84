"""How pages write numbers, money and dates: by the store's locale, currency and time zone; – stands for undefined."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

import phonenumbers
from babel.dates import format_interval, format_skeleton, format_time
from babel.numbers import format_currency, format_decimal, format_percent
from django import template

from ..clock import present, store

register = template.Library()
NONE = "–"
Number = int | float | Decimal


@register.filter
def count(value: Number | None) -> str:
    """The number with the locale's signs: 18,462."""
    return NONE if value is None else _minus(format_decimal(value, locale=store().locale))


@register.filter
def money(value: Number | None) -> str:
    """The amount in the store's currency, always with cents: $23,184.60."""
    if value is None:
        return NONE
    settings = store()
    return _minus(format_currency(value, settings.currency, locale=settings.locale))


@register.filter
def points(value: Number | None) -> str:
    """The number of loyalty points: 1,240 pts."""
    return NONE if value is None else f"{count(value)} pts"


@register.filter
def phone(value: str) -> str:
    """A number in E.164 as people write it: +1 617-555-0123."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(value), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    except phonenumbers.NumberParseException:
        return value


@register.filter
def signed(value: Number | None) -> str:
    """The number with a plus where it is above zero: +214,380."""
    return f"+{count(value)}" if value and value > 0 else count(value)


@register.filter
def percent(share: Number | None) -> str:
    """A share of one as a percentage: 28.3%, with two decimals below 1%."""
    if share is None:
        return NONE
    return _percent(share, 2 if 0 < abs(float(share)) < 0.01 else 1)


@register.filter
def width(share: Number | None) -> str:
    """A share of one as a length in style sheets, whatever the locale: 28.3%."""
    return f"{100 * min(max(float(share or 0), 0), 1):.1f}%"


@register.filter
def change(now: Number, was: Number | None) -> str:
    """The change from `was` to `now` with its sign: +9.2%; – where there is nothing to compare with."""
    if not was:
        return NONE
    share = (Decimal(now) - Decimal(was)) / abs(Decimal(was))
    return _percent(share, 1) if share < 0 else f"+{_percent(share, 1)}"


@register.filter
def moment(value: datetime | None) -> str:
    """A time on the store's clock: Nov 23, 2:14 pm, with the year if it is not this one."""
    if value is None:
        return NONE
    local = store().local(value)
    return f"{day(local)}, {clock(local)}"


@register.filter
def clock(value: datetime | None) -> str:
    """The time of day on the store's clock: 2:14 pm."""
    if value is None:
        return NONE
    settings = store()
    text = format_time(settings.local(value), "short", tzinfo=settings.zone, locale=settings.locale)
    return str(text).replace("\u202f", " ").lower()


def hour(value: time) -> str:
    """A time of day on the store's clock, of any day: 4:00 pm."""
    text = format_time(value, "short", locale=store().locale)
    return str(text).replace("\u202f", " ").lower()


@register.filter
def day(value: date | None) -> str:
    """A day of the store's calendar: Nov 23, with the year if it is not this one."""
    if value is None:
        return NONE
    settings = store()
    local = settings.local(value).date() if isinstance(value, datetime) else value
    this_year = settings.local(present()).year
    return str(format_skeleton("MMMd" if local.year == this_year else "yMMMd", local, locale=settings.locale))


@register.filter
def last_day(end: datetime | None) -> str:
    """The last day before an end: Oct 31, 2027 where the clock strikes the midnight after it; else with its time."""
    if end is None:
        return NONE
    local = store().local(end)
    is_midnight = local.time() == time.min
    return day(local - timedelta(days=1)) if is_midnight else moment(end)


def birthday(month: int | None, day: int | None, year: int | None = None) -> str:
    """A birthday: Jul 16, 1987, without the year if that is not known; empty if nothing is."""
    if not month or not day:
        return ""
    return f"{month_day(month, day)}{f', {year}' if year else ''}"


def month_day(month: int, day: int) -> str:
    """A day of every year: Feb 29."""
    return str(format_skeleton("MMMd", date(2000, month, day), locale=store().locale))


@register.filter
def period(first: date, last: date) -> str:
    """Both days and all between them: Oct 25 – Nov 23, 2026."""
    return str(format_interval(first, last, "yMMMd", locale=store().locale)).replace("\u2009", " ")


@register.filter
def duration(seconds: Number | None) -> str:
    """A length of time in its largest unit: 38 s, 4 min, 3 h, 2 days."""
    if seconds is None:
        return NONE
    for unit, length in (("day", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {unit}s" if unit == "day" and number > 1 else f"{number} {unit}"
    return f"{int(seconds)} s"


@register.filter
def seconds(value: Number | None) -> str:
    """A short time to the tenth: 1.8 s."""
    return NONE if value is None else f"{format_decimal(value, '0.0', locale=store().locale)} s"


def _percent(share: Number, places: int) -> str:
    return _minus(format_percent(share, format=f"#,##0.{'0' * places}%", locale=store().locale))


def _minus(text: str) -> str:
    return text.replace("-", "−")
