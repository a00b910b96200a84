"""Every type of condition once more, in plain Python: what the product's SQL is held against.

Each function here is given a condition, all facts of one customer and a moment, and reads nothing else: no query, no
code of the product beyond the condition's own fields.
"""

from collections.abc import Callable
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from segments.conditions import Condition

from .facts import Facts

Answer = Callable[[Condition, Facts, datetime], bool]
ANSWERS: dict[type[Condition], Answer] = {}


def answers(kind: type[Condition]) -> Callable[[Answer], Answer]:
    """Marks the function that answers for conditions of a type."""

    def marked(answer: Answer) -> Answer:
        ANSWERS[kind] = answer
        return answer

    return marked


def holds(condition: Condition, facts: Facts, now: datetime) -> bool:
    """Whether the customer meets the condition at `now`, by the facts up to then."""
    return ANSWERS[type(condition)](condition, facts, now)


def local_day(moment: datetime, now: datetime) -> date:
    """The day of the store's calendar on which the moment lies; `now` carries the store's zone."""
    return moment.astimezone(now.tzinfo).date()


def import_answers() -> None:
    """Make every answer in this folder known."""
    for module in iter_modules([str(Path(__file__).parent)]):
        import_module(f"{__name__}.{module.name}")
