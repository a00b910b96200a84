"""The stretches of days that staff look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .figures import midnight

CHOICES = {"7d": "7 days", "30d": "30 days", "12w": "12 weeks", "12m": "12 months", "custom": "Custom"}
DEFAULT = "30d"
LONGEST_DAYS = 10 * 366
EARLIEST = date(1990, 1, 1)


@dataclass(frozen=True)
class Period:
    """Whole days of the store's calendar, the first and the last included."""

    first: date
    last: date
    name: str = "custom"

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        """As many days, right before."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    @property
    def length(self) -> str:
        """In words: 30 days, 12 weeks, 1 day."""
        if self.name != "custom":
            return CHOICES[self.name]
        return "1 day" if self.days == 1 else f"{self.days} days"

    def filters(self, field: str, now: datetime) -> dict[str, str]:
        """The query parameters with which an admin list shows the rows of these days by `field`, an instant."""
        after = midnight(self.last + timedelta(days=1), now.tzinfo)
        return {f"{field}__gte": midnight(self.first, now.tzinfo).isoformat(), f"{field}__lt": after.isoformat()}


def chosen(query: Mapping[str, str], now: datetime) -> Period:
    """The period that a page's address asks for; the last 30 days if it asks for none that makes sense.

    A custom period makes sense if it ends today at the latest and begins at most ten years before its end.
    """
    today = now.date()
    name = query.get("period", DEFAULT)
    if name == "custom":
        first, last = _date(query.get("from")), _date(query.get("to"))
        if first and last and EARLIEST <= first <= last <= today and (last - first).days < LONGEST_DAYS:
            return Period(first, last)
    starts = {
        "7d": today - timedelta(days=6),
        "12w": week(today) - timedelta(weeks=11),
        "12m": today - timedelta(days=364),
    }
    return Period(starts[name], today, name) if name in starts else Period(today - timedelta(days=29), today, DEFAULT)


def week(day: date) -> date:
    """The Monday that begins the day's ISO week."""
    return day - timedelta(days=day.weekday())


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
