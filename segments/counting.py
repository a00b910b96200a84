"""How many customers meet conditions, and who some of them are, while staff are still writing them.

Every function takes a tree as it is in memory, stored or not, such as a draft in which one row is replaced by what a
form says. Each count is exact if it takes less than its limit, else one from a random sample of customers: so staff
wait less than a second, and what takes longer to count exactly leaves the database free for others.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from loyaltyflow.sql import TooSlow, compiled, make_room, time_limit
from loyaltyflow.store.models import Customer

from .conditions import Condition
from .conditions.groups import Group

LIMIT = 600  # milliseconds
OF_A_SAMPLE = 5_000  # milliseconds after which not even a sample's count is waited for
SAMPLE = 5_000  # customers; 19 times of 20, an estimate is less than 1.5 % of all customers off
SHORTEST = 100  # milliseconds that even the last of several questions is given
# What PostgreSQL expects a count to cost, in its own units, when there is no hope that it ends within the limit.
HOPELESS = 4_000_000

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


Counts = dict[int, Count]  # by the numbers of rows


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
    ),
    ARRAY[{known}]::bigint[]
FROM found
"""


def looked(tree: Condition, now: datetime, page: int = 0, number: int = 10, limit_ms: int = LIMIT) -> Look:
    """How many match and `number` of them, as if drawn by lot; the next page shows others, until all were shown.

    Raises TooSlow if not even a sample of customers can be judged in time.
    """
    started = perf_counter()
    of_all, factor = Customer.objects.count(), 1.0
    try:
        seen = _look(tree, now, (page, number), None, limit_ms)
    except TooSlow:
        judged = _drawn_by_lot(of_all)
        seen = _look(tree, now, (page, number), judged, OF_A_SAMPLE)
        factor = of_all / max(len(judged), 1)
    found, ids, known = seen
    customers = Customer.objects.in_bulk(ids)
    count = Count(round(found * factor), of_all, factor != 1.0, perf_counter() - started)
    knowledge = dict(zip(worth_knowing, (round(each * factor) for each in known), strict=False))
    return Look(count, [customers[pk] for pk in ids if pk in customers], knowledge)


def counted(tree: Condition, now: datetime, limit_ms: int = LIMIT) -> Count:
    """How many customers match."""
    return looked(tree, now, number=0, limit_ms=limit_ms).count


def samples(tree: Condition, now: datetime, number: int = 10, page: int = 0) -> list[Customer]:
    """Some of those who match; the next page shows others."""
    return looked(tree, now, page, number).customers


class Patience:
    """How much longer staff wait for the exact answer to one of several questions that are asked in one go."""

    def __init__(self, limit_ms: int = LIMIT) -> None:
        self.until = perf_counter() + limit_ms / 1_000

    @property
    def left_ms(self) -> int:
        """Milliseconds for the next question; a little even if there is no time left."""
        return max(int(1_000 * (self.until - perf_counter())), SHORTEST)


def row_counts(tree: Condition, now: datetime, leave_out: Collection[int] = (), limit_ms: int = LIMIT) -> Counts:
    """How many match each single condition of the tree alone, by the row's number; the limit is for all together.

    The rows to leave out, and those of which not even a sample can be judged in time, have none.
    """
    counts: Counts = {}
    patience = Patience(limit_ms)
    for each in tree.walk():
        if not each.takes_parts and each.number not in leave_out:
            with suppress(TooSlow):
                counts[each.number] = counted(each, now, patience.left_ms)
    return counts


def nobody(tree: Condition, now: datetime, limit_ms: int = LIMIT) -> Condition | None:
    """The row that leaves nobody: the first that does by itself, else with those before it; None if some match.

    It is the group around the row if to find the row takes too long.
    """
    patience = Patience(limit_ms)
    if _somebody(tree, now, patience):
        return None
    try:
        return _culprit(tree, now, patience)
    except TooSlow:
        return tree


def _culprit(row: Condition, now: datetime, patience: Patience) -> Condition:
    """The row, of this one and all below it, because of which nobody meets this one."""
    parts = row.parts()
    if not isinstance(row, Group) or not (row.narrows or len(parts) == 1):
        return row
    for part in parts:
        if not _somebody(_with_parts(row, [part]), now, patience):
            return part if _somebody(part, now, patience) else _culprit(part, now, patience)
    for number in range(2, len(parts) + 1):
        if not _somebody(_with_parts(row, parts[:number]), now, patience):
            return parts[number - 1]
    return row


def _somebody(tree: Condition, now: datetime, patience: Patience) -> bool:
    with time_limit(patience.left_ms):
        return Customer.objects.filter(tree.q_of_everybody(now)).exists()


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
    tree: Condition, now: datetime, page: tuple[int, int], among: list[int] | None, limit_ms: int
) -> tuple[int, list[int], list[int]]:
    """How many match, the ids of those on the page (its number and size), and how many of all are worth knowing."""
    if among is None:
        matching = Customer.objects.filter(tree.q_of_everybody(now))
    else:
        matching = Customer.objects.filter(tree.q(now), pk__any=among)
    try:
        select, parameters = compiled(matching.order_by().values("pk"))
    except EmptyResultSet:
        return 0, [], [0 for _ in worth_knowing]
    number, size = page
    known, also = _known(now)
    statement = LOOK.format(matching=select, known=known)
    with time_limit(limit_ms), connection.cursor() as cursor:
        make_room()
        every = [*parameters, size, size, number, max(size, 1), *also]
        if among is None and _expected_cost(statement, every) > HOPELESS:
            raise TooSlow(f"It would take longer than {limit_ms:,} ms.")
        cursor.execute(statement, every)
        found: tuple[int, list[int], list[int]] = cursor.fetchone()
        return found


def _known(now: datetime) -> tuple[str, list[Any]]:
    """SQL for how many of those who match are each thing worth knowing, and its parameters."""
    counts: list[str] = []
    parameters: list[Any] = []
    for who in worth_knowing.values():
        rows = Customer.objects.filter(who(now), pk__in=RawSQL("SELECT id FROM matching", []))
        sql, own = compiled(rows.order_by().values("pk"))
        counts.append(f"(SELECT count(*) FROM ({sql}) AS known)")
        parameters += own
    return ", ".join(counts), parameters


def _expected_cost(statement: str, parameters: list[Any]) -> float:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        return float(cursor.fetchone()[0][0]["Plan"]["Total Cost"])


def _drawn_by_lot(of_all: int) -> list[int]:
    """The ids of about as many customers as a sample holds, each with the same chance."""
    with connection.cursor() as cursor:
        percent = min(100.0, 100.0 * SAMPLE / max(of_all, 1))
        cursor.execute("SELECT id FROM store_customer TABLESAMPLE BERNOULLI (%s)", [percent])
        return [pk for [pk] in cursor.fetchall()]
