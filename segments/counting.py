"""How many customers meet conditions, and who some of them are, while staff are still writing them.

Every function takes a tree as it is in memory, stored or not, such as a draft in which one row is replaced by what a
form says. Each count is exact if it takes less than its limit, else one from a random sample of customers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q

from loyaltyflow.sql import TooSlow, compiled, time_limit
from loyaltyflow.store.models import Customer

from .conditions import Condition

LIMIT = 2_000  # milliseconds
SAMPLE = 2_000  # customers, so that the estimate of a half is right within 2 % of all, nearly always

# What staff want to know of those who match, in words → who that is; the apps above add theirs.
worth_knowing: dict[str, Callable[[datetime], Q]] = {}


@dataclass(frozen=True)
class Count:
    """How many customers match, of how many there are; `is_about` if it is an estimate."""

    number: int
    of_all: int
    is_about: bool
    seconds: float  # that counting took

    @property
    def share(self) -> float:
        """The part of all customers that matches, of one."""
        return self.number / self.of_all if self.of_all else 0.0


@dataclass(frozen=True)
class Look:
    """How many match, who some of them are, and of how many of them the things worth knowing hold."""

    count: Count
    customers: list[Customer]
    known: dict[str, int] = field(default_factory=dict)


LOOK = """
WITH matching (id) AS MATERIALIZED ({matching}),
found (number) AS (SELECT count(*) FROM matching)
SELECT number,
    ARRAY(
        SELECT id FROM matching ORDER BY hashint8extended(id, 0), id LIMIT %s
        OFFSET (SELECT CASE WHEN number = 0 THEN 0 ELSE %s * (%s %% ceil(number / %s::float8)::bigint) END FROM found)
    )
FROM found
"""


def looked(tree: Condition, now: datetime, page: int = 0, number: int = 10, limit_ms: int = LIMIT) -> Look:
    """How many match and `number` of them, as if drawn by lot; the next page shows others, until all were shown.

    Raises TooSlow if not even a sample of customers can be judged within the limit.
    """
    started = perf_counter()
    of_all = Customer.objects.count()
    is_about = False
    try:
        found, ids = _look(tree, now, page, number, None, limit_ms)
    except TooSlow:
        is_about = True
        judged = _drawn_by_lot(of_all)
        found, ids = _look(tree, now, page, number, judged, limit_ms)
        found = round(found * of_all / len(judged)) if judged else 0
    customers = Customer.objects.in_bulk(ids)
    count = Count(found, of_all, is_about, perf_counter() - started)
    return Look(count, [customers[pk] for pk in ids if pk in customers])


def counted(tree: Condition, now: datetime, limit_ms: int = LIMIT) -> Count:
    """How many customers match."""
    return looked(tree, now, number=0, limit_ms=limit_ms).count


def samples(tree: Condition, now: datetime, number: int = 10, page: int = 0) -> list[Customer]:
    """Some of those who match; the next page shows others."""
    return looked(tree, now, page, number).customers


def row_counts(tree: Condition, now: datetime, limit_ms: int = LIMIT) -> dict[int, Count]:
    """How many match each single condition of the tree alone, by the row's number."""
    return {each.number: counted(each, now, limit_ms) for each in tree.walk() if not each.takes_parts}


def nobody(tree: Condition, now: datetime) -> Condition | None:
    """The row that leaves nobody: the first that nobody meets alone or with those before it; None if some match."""
    if Customer.objects.filter(tree.q(now)).exists():
        return None
    return tree


def with_row(tree: Condition, number: int, row: Condition) -> Condition:
    """The tree as it would be if the row said what `row`, such as a form's instance, says; nothing is stored."""
    if tree.number == number:
        row.__dict__["_parts"] = tree.parts()
        return row
    return _with_parts(tree, [with_row(part, number, row) for part in tree.parts()])


def without(tree: Condition, number: int) -> Condition:
    """The tree as it would be without the row; nothing is stored."""
    return _with_parts(tree, [without(part, number) for part in tree.parts() if part.number != number])


def pruned(tree: Condition) -> Condition:
    """The tree without the groups below its top that ask nothing yet; nothing is stored."""
    parts = [pruned(part) for part in tree.parts()]
    return _with_parts(tree, [part for part in parts if not part.takes_parts or part.parts()])


def _with_parts(row: Condition, parts: list[Condition]) -> Condition:
    """A row like this one, in memory only, that is made of the parts."""
    made = type(row)(**row.values(), pk=row.pk, position=row.position, parent_id=row.parent_id, copy_of=row.copy_of)
    made.__dict__["_parts"] = parts
    return made


def _look(
    tree: Condition, now: datetime, page: int, number: int, among: list[int] | None, limit_ms: int
) -> tuple[int, list[int]]:
    """How many match and the ids of some of them."""
    matching = Customer.objects.filter(tree.q(now))
    if among is not None:
        matching = matching.filter(pk__any=among)
    try:
        select, known = compiled(matching.order_by().values("pk"))
    except EmptyResultSet:
        return 0, []
    parameters: list[Any] = [*known, number, number, page, max(number, 1)]
    with time_limit(limit_ms), connection.cursor() as cursor:
        cursor.execute(LOOK.format(matching=select), parameters)
        found, ids = cursor.fetchone()
    return found, ids


def _drawn_by_lot(of_all: int) -> list[int]:
    """The ids of about as many customers as a sample holds, each with the same chance."""
    with connection.cursor() as cursor:
        percent = min(100.0, 100.0 * SAMPLE / max(of_all, 1))
        cursor.execute("SELECT id FROM store_customer TABLESAMPLE BERNOULLI (%s)", [percent])
        return [pk for [pk] in cursor.fetchall()]
