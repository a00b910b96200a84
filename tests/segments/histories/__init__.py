"""Random lives of customers: facts as the shop would tell them, each with its event.

`live` writes one random fact about a customer at a moment near `now`: often on a boundary that conditions care about,
such as a local midnight some days ago, a microsecond before it, or `now` itself.

A file here lets things happen that the conditions of one area ask about. Where the plain answers of those conditions
stand in `tests/segments/plain/` under the same file name, these things happen more often while they are tested.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count
from pathlib import Path
from pkgutil import iter_modules
from random import Random
from typing import Any

from loyaltyflow.store.models import Customer, Event
from segments.comparisons.dates import midnight
from segments.conditions import Condition

Happening = Callable[[Random, Customer, datetime, datetime], None]
Aimed = Callable[[Random, Customer, Any, datetime], None]
HAPPENINGS: list[Happening] = []
AIMED: dict[type[Condition], list[Aimed]] = {}
FURNISHINGS: list[Callable[[], None]] = []
DAYS = (0, 1, 2, 3, 7, 14, 21, 30, 90, 180)
SPANS = (timedelta(minutes=5), timedelta(hours=30), timedelta(days=40), timedelta(days=400))
numbers = count(1)


def happening(happen: Happening) -> Happening:
    """Marks a function (chance, customer, at, now) that lets something happen to the customer at `at`."""
    HAPPENINGS.append(happen)
    return happen


def aimed_at(kind: type[Condition]) -> Callable[[Aimed], Aimed]:
    """Marks a function (chance, customer, condition, now) that takes the customer close to meeting the condition.

    Only needed where random happenings are unlikely to: someone must pass each example, and someone must fail it.
    """

    def marked(aim: Aimed) -> Aimed:
        AIMED.setdefault(kind, []).append(aim)
        return aim

    return marked


def furnishing(furnish: Callable[[], None]) -> Callable[[], None]:
    """Marks a function that makes what customers need around them, such as products; it may be called again."""
    FURNISHINGS.append(furnish)
    return furnish


def tell(name: str, customer: Customer, at: datetime, **properties: Any) -> None:
    """The event that follows a fact; its time is when the change takes effect."""
    key = f"{name}:history:{next(numbers)}"
    Event.objects.create(name=name, customer=customer, occurred_at=at, source="history", key=key, properties=properties)


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


def live(chance: Random, customer: Customer, now: datetime, area: str = "basics") -> None:
    """Let one random thing happen to the customer; those of the area as often as the basics, or all others."""
    favoured = chance.choice([*({area, "basics"} & areas()), ""])
    likely = [each for each in HAPPENINGS if area_of(each) == favoured] or HAPPENINGS
    chance.choice(likely)(chance, customer, some_moment(chance, now), now)


def areas() -> set[str]:
    """The files of this folder in which something happens."""
    return {area_of(each) for each in HAPPENINGS}


def area_of(function: Callable[..., Any]) -> str:
    """The file that a function stands in, without its folder."""
    return function.__module__.rpartition(".")[2]


def furnish() -> None:
    """Make what customers need around them."""
    for each in FURNISHINGS:
        each()


def import_happenings() -> None:
    """Make every happening in this folder known."""
    for module in iter_modules([str(Path(__file__).parent)]):
        import_module(f"{__name__}.{module.name}")
