"""When days begin, in zones whose clocks change at midnight and in many others."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.db.models import DateTimeField, F, Func, TextField, Value
from django.db.models.expressions import Combinable

from loyaltyflow.sql import LocalDayStart
from loyaltyflow.store.models import Customer
from segments.comparisons.dates import midnight
from tests import factories

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
YEARS = range(2014, 2029)


@pytest.mark.parametrize(
    ("_case", "zone", "day", "begins"),
    [
        ("a day like any other", "America/New_York", date(2026, 11, 23), "2026-11-23T05:00Z"),
        ("of 25 hours", "America/New_York", date(2026, 11, 2), "2026-11-02T05:00Z"),
        ("midnight is skipped", "America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00Z"),
        ("the hour after midnight comes twice", "America/Havana", date(2026, 11, 1), "2026-11-01T04:00Z"),
        ("the hour before midnight comes twice", "America/Santiago", date(2026, 4, 5), "2026-04-05T04:00Z"),
        ("the hour before midnight is skipped", "America/Nuuk", date(2026, 3, 29), "2026-03-29T01:00Z"),
        ("the day before is skipped", "Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00Z"),
    ],
)
def test_a_day_begins(_case, zone, day, begins):
    noon = datetime.combine(day, time(12), tzinfo=ZoneInfo(zone))

    assert midnight(day, ZoneInfo(zone)).astimezone(UTC) == datetime.fromisoformat(begins)
    assert in_sql(noon, zone) == datetime.fromisoformat(begins)


def test_days_begin_at_the_first_moment_of_their_date_in_python_as_in_sql():
    begins = changes()
    people = [Customer(time_zone=zone, registered_at=at) for zone, days in begins.items() for at in days.values()]
    Customer.objects.bulk_create(people)

    compared = 0
    for name, days in begins.items():
        zone = ZoneInfo(name)
        assert {day: midnight(day, zone).astimezone(UTC) for day in days} == days
        start, second_before = LocalDayStart(F("registered_at"), name), F("registered_at") - SECOND
        rows = Customer.objects.filter(time_zone=name).values_list("registered_at", start, shown(second_before, name))
        for at, found, shows in rows:
            if shows == f"{(at - SECOND).astimezone(zone):%F %T}":  # PostgreSQL may not know the newest laws, or Python
                assert (name, found) == (name, at)
                compared += 1
    assert compared > 0.9 * len(people) > 2_000


def in_sql(instant: datetime, zone: str) -> datetime:
    start = LocalDayStart(Value(instant, output_field=DateTimeField()), zone)
    return Customer.objects.annotate(start=start).get(pk=factories.customer().pk).start


def shown(instant: Combinable, zone: str) -> Func:
    """What a clock shows at the instant, as text."""
    return Func(
        Value(zone),
        instant,
        function="timezone",
        template="%(function)s(%(expressions)s)::text",
        output_field=TextField(),
    )


def changes() -> dict[str, dict[date, datetime]]:
    """The first moments of the days around each change of the clock, in each zone that differs from the others."""
    found = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        if "/" in name and not name.startswith(("Etc/", "Antarctica/")):
            days = {day: first_moment(day, zone) for day in days_of_changes(zone)}
            found[tuple(days.items())] = (name, days)
    return dict(found.values())


def days_of_changes(zone: ZoneInfo) -> list[date]:
    """The days around each change of the clock."""
    found = set()
    for week in range(53 * len(YEARS)):
        start = datetime(YEARS[0], 1, 1, tzinfo=UTC) + timedelta(weeks=week)
        was, becomes = (each.astimezone(zone).utcoffset() for each in (start, start + timedelta(weeks=1)))
        if was != becomes:
            change = last_where(start, lambda moment, was=was: moment.astimezone(zone).utcoffset() == was)
            found |= {(change + later).astimezone(zone).date() for later in (0 * SECOND, SECOND, timedelta(days=1))}
    return sorted(found)


def first_moment(day: date, zone: ZoneInfo) -> datetime:
    start = datetime.combine(day, time(12), tzinfo=UTC) - timedelta(days=2)
    return last_where(start, lambda moment: moment.astimezone(zone).date() < day) + SECOND


def last_where(start: datetime, holds: Callable[[datetime], bool]) -> datetime:
    """The last second, in the week from `start` on, at which something holds that does not come back."""
    low, high = 0, 7 * 86_400
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(start + middle * SECOND) else (low, middle)
    return start + low * SECOND
