"""Moments at which conditions are asked: ordinary ones, midnights, and those around which the clock is changed."""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

MOMENT = timedelta(microseconds=1)
NEW_YORK = "America/New_York"
# Zone → instants at which its clock is changed: in New York at 2 am; in Havana and Cairo at midnight, which then
# comes twice or not at all; in Casablanca back and forth within five weeks; on Lord Howe Island by half an hour.
CHANGES = {
    NEW_YORK: (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
    "America/Havana": (datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 11, 1, 5, tzinfo=UTC)),
    "Africa/Cairo": (datetime(2026, 4, 23, 22, tzinfo=UTC), datetime(2026, 10, 29, 21, tzinfo=UTC)),
    "Africa/Casablanca": (datetime(2026, 2, 15, 2, tzinfo=UTC), datetime(2026, 3, 22, 2, tzinfo=UTC)),
    "Australia/Lord_Howe": (datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 16, tzinfo=UTC)),
}
NEARBY = [
    timedelta(0),
    timedelta(microseconds=-1),
    timedelta(minutes=30),
    timedelta(hours=-2),
    timedelta(hours=13),
    timedelta(days=1),
    timedelta(days=20, hours=5),
]
zones = st.sampled_from([NEW_YORK, NEW_YORK, *CHANGES])


def at_midnight(moment: datetime) -> datetime:
    """The midnight before the moment, as clocks on the wall show it; if it comes twice, the first of both."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC).astimezone(moment.tzinfo)


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """A moment of 2026 on a store's clock."""
    name = draw(zones)
    changed = draw(st.sampled_from(CHANGES[name]))
    moment = (changed + draw(st.sampled_from(NEARBY))).astimezone(ZoneInfo(name))
    return at_midnight(moment) if draw(st.booleans()) else moment


def walk(chance: Random, days: int = 60) -> list[datetime]:
    """The ticks of so many days across a change of the clock: about one a day, some on midnight, some minutes apart."""
    name = chance.choice([NEW_YORK, NEW_YORK, *CHANGES])
    zone, changed = ZoneInfo(name), chance.choice(CHANGES[name])
    start = changed - timedelta(hours=chance.randrange(24, 24 * (days - 2)))
    ticks = {start}
    for day in range(1, days):
        at = start + timedelta(days=day, seconds=chance.randrange(-36_000, 36_000))
        ticks |= chance.choice([{at}, {at}, {at}, _two(at, zone), {at, at + timedelta(minutes=7)}, set()])
    edges = [changed, changed - MOMENT, *(changed + timedelta(minutes=number) for number in (-61, -1, 29, 59, 61))]
    ticks |= {*chance.sample(edges, 3), start + timedelta(days=days)}
    return [tick.astimezone(zone) for tick in sorted(ticks)]


def _two(at: datetime, zone: ZoneInfo) -> set[datetime]:
    """The midnight before the moment, and the moment just before that."""
    night = at_midnight(at.astimezone(zone)).astimezone(UTC)
    return {night, night - MOMENT}
