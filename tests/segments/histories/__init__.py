"""Random lives of customers: facts as the shop would tell them, each with its event.

`live` writes one random fact about a customer at a moment near `now`: often on a boundary that conditions care about,
such as a local midnight some days ago, a microsecond before it, or `now` itself.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count
from pathlib import Path
from pkgutil import iter_modules
from random import Random

from loyaltyflow.store.models import Customer
from segments.comparisons.dates import midnight

Happening = Callable[[Random, Customer, datetime, datetime], None]
HAPPENINGS: list[Happening] = []
DAYS = (0, 1, 2, 3, 7, 14, 21, 30, 90, 180)
numbers = count(1)


def happening(happen: Happening) -> Happening:
    """Marks a function (chance, customer, at, now) that lets something happen to the customer at `at`."""
    HAPPENINGS.append(happen)
    return happen


def some_moment(chance: Random, now: datetime) -> datetime:
    """A moment near `now`, on the store's clock: often on the edge of a day that windows begin or end with."""
    edge = midnight(now.date(), now.tzinfo, -chance.choice(DAYS)).astimezone(UTC)
    at = chance.choice(
        [
            now.astimezone(UTC),
            edge,
            edge - timedelta(microseconds=1),
            edge + timedelta(seconds=chance.randrange(86_400)),
            now.astimezone(UTC) - timedelta(hours=chance.randrange(24 * 200)),
            now.astimezone(UTC) + timedelta(hours=chance.randrange(1, 100)),
        ]
    )
    return at.astimezone(now.tzinfo)


def live(chance: Random, customer: Customer, now: datetime) -> None:
    """Let one random thing happen to the customer."""
    chance.choice(HAPPENINGS)(chance, customer, some_moment(chance, now), now)


def import_happenings() -> None:
    """Make every happening in this folder known."""
    for module in iter_modules([str(Path(__file__).parent)]):
        import_module(f"{__name__}.{module.name}")
