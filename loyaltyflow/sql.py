"""The few things that PostgreSQL does in one statement and the ORM has no words for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import EmptyResultSet
from django.db import OperationalError, connection, connections, models, transaction
from django.db.models.constants import OnConflict
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast
from psycopg.errors import QueryCanceled

from loyaltyflow.planned import numbered


class InArray(models.Lookup):
    """`field__any=[ids]`: `field = ANY(array)`, one parameter however many ids there are."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        left, parameters = self.process_lhs(compiler, connection)
        return f"{left} = ANY(%s)", (*parameters, list(self.rhs))


models.Field.register_lookup(InArray)
models.ForeignKey.register_lookup(InArray)


class LocalDayStart(models.Func):
    """Local midnight, in `zone`, that begins the day `days` after the day of the given instant.

    Days are calendar days, so a day of 23 or 25 hours counts as one. PostgreSQL reads a time that the clock shows twice
    as the later one, and one that it skips as if it had not been set forward yet. So of a midnight that it strikes
    twice, the second before it leads to the first of the two; where it skips that second, the midnight itself is right.
    """

    output_field = models.DateTimeField()

    def __init__(self, instant: Any, zone: str, days: int = 0) -> None:
        super().__init__(instant)
        self.zone, self.days = zone, days

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        inner, parameters = compiler.compile(self.source_expressions[0])
        midnight = f"date_trunc('day', ({inner}) AT TIME ZONE %s) + make_interval(days => %s)"
        if strikes_each_midnight_once(self.zone):
            return f"(({midnight}) AT TIME ZONE %s)", [*parameters, self.zone, self.days, self.zone]
        second_before = "((midnight - interval '1 second') AT TIME ZONE %s) + interval '1 second'"
        # OFFSET 0 keeps PostgreSQL from working out the instant, which may be a subquery, once for each use.
        days = f"(SELECT {midnight} OFFSET 0) AS days (midnight)"
        sql = f"(SELECT least(midnight AT TIME ZONE %s, {second_before}) FROM {days})"
        return sql, [self.zone, self.zone, *parameters, self.zone, self.days]

    @property
    def identity(self) -> tuple[Any, ...]:
        return (*super().identity, self.zone, self.days)


@cache
def strikes_each_midnight_once(zone: str) -> bool:
    """Whether no midnight of the years 1970 to 2100 is skipped or struck twice, as clocks are mostly set at 2:00."""
    first = datetime(1970, 1, 1, 12, tzinfo=ZoneInfo(zone))
    noons = [first + timedelta(weeks=week) for week in range(6_800)]
    set_in = [one for one, next_one in pairwise(noons) if one.utcoffset() != next_one.utcoffset()]
    midnights = (noon + timedelta(days=day, hours=12) for noon in set_in for day in range(7))
    return all(each.utcoffset() == each.replace(fold=1).utcoffset() for each in midnights)


class Once(models.Func):
    """What is made of a value that takes time to work out, which is done once however often it is used.

    `make(value)` returns the expression, given the value as an expression.
    """

    def __init__(self, value: Any, make: Callable[[Any], Any], output_field: Any) -> None:
        super().__init__(value, output_field=output_field)
        self.make = make

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        value, parameters = compiler.compile(self.source_expressions[0])
        known = RawSQL("once.value", (), output_field=self.source_expressions[0].output_field)
        made, before = compiler.compile(self.make(known).resolve_expression(compiler.query))
        return f"(SELECT {made} FROM (SELECT {value} OFFSET 0) AS once (value))", [*before, *parameters]


class TransactionId(models.Func):
    """The number of the running transaction, as a bigint: what a feed reader compares with the oldest running one."""

    template = "(pg_current_xact_id()::text::bigint)"
    arity = 0
    output_field = models.BigIntegerField()


class NextTransaction(models.Func):
    """A number that no transaction of this server has had yet."""

    template = "(pg_snapshot_xmax(pg_current_snapshot())::text::bigint)"
    arity = 0
    output_field = models.BigIntegerField()


OLDEST_RUNNING = """
SELECT least(
    pg_snapshot_xmax(snapshot)::text::bigint,
    pg_current_xact_id_if_assigned()::text::bigint,
    (
        SELECT min(running::text::bigint) FROM pg_snapshot_xip(snapshot) AS running
        WHERE NOT EXISTS (
            SELECT FROM pg_stat_activity AS other
            WHERE other.backend_xid = running::xid
            AND (other.datname <> current_database() OR other.backend_type = 'autovacuum worker')
        )
    )
), EXISTS (
    SELECT FROM pg_snapshot_xip(snapshot) AS running
    WHERE NOT EXISTS (SELECT FROM pg_stat_activity AS other WHERE other.backend_xid = running::xid)
)
FROM pg_current_snapshot() AS snapshot
"""
LOOKS = 10  # after which what is nobody's counts as ours, such as a prepared transaction


def oldest_running_transaction(using: str = "default") -> int:
    """The lowest transaction number that is still running: rows of every lower one are either visible or gone.

    Transactions of other databases on the same server, and of the server's own clean-up, write none of our rows and
    are left out. Whose one was that has
    ended since the snapshot cannot be told any more, so then another look is taken.
    """
    with connections[using].cursor() as cursor:
        cursor.execute(OLDEST_RUNNING)
        oldest, is_unsure = cursor.fetchone()
        for _ in range(LOOKS if is_unsure else 0):
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # else PostgreSQL shows who was at work at the first look
            cursor.execute(OLDEST_RUNNING)
            oldest, is_unsure = cursor.fetchone()
            if not is_unsure:
                break
    return int(oldest)


class TooSlow(Exception):
    """A statement took longer than it was given."""


@contextmanager
def time_limit(milliseconds: int) -> Iterator[None]:
    """Raises TooSlow, with what the block wrote taken back, if one of its statements takes longer than that."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            [before] = cursor.fetchone()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
            yield
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TooSlow(f"It took longer than {milliseconds:,} ms.") from error
        raise


ROOM = """
SELECT set_config('work_mem', %s, true) WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes(%s)
"""


def make_room(memory: str = "64MB") -> None:
    """Let each step of the transaction's next statements hold so much in memory, if the server allows it less.

    What asks `id IN (SELECT …)` of everybody is quick if the ids fit into memory, and would else take hours.
    """
    with connection.cursor() as cursor:
        cursor.execute(ROOM, [memory, memory])


def compiled(rows: models.QuerySet[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    """The SELECT of a queryset and its parameters; raises EmptyResultSet if it can be known to have no rows."""
    sql, parameters = rows.query.get_compiler(rows.db).as_sql()
    return sql, tuple(parameters)


def insert_select(
    model: type[models.Model],
    rows: models.QuerySet[Any, Any],
    columns: dict[str, Any],
    *,
    ignore_conflicts: bool = False,
    update_on: Sequence[str] = (),
    update: Sequence[str] = (),
) -> int:
    """The number of rows that one `INSERT INTO model SELECT columns FROM rows` wrote.

    `columns` maps a field of `model` to where its value comes from: a str names a field of `rows`, an expression is
    evaluated over them, anything else is the value itself (a constant text is `Value("…")`). Fields that are left out
    take their database default. With `ignore_conflicts` rows that break a unique key are left out; with `update_on`
    (the fields of the key) and `update` they overwrite those fields instead.
    """
    sql, parameters = insert_sql(model, rows, columns, ignore_conflicts, update_on, update)
    if not sql:
        return 0
    with connections[rows.db].cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def insert_sql(
    model: type[models.Model],
    rows: models.QuerySet[Any, Any],
    columns: dict[str, Any],
    ignore_conflicts: bool = False,
    update_on: Sequence[str] = (),
    update: Sequence[str] = (),
) -> tuple[str, tuple[Any, ...]]:
    """The statement of `insert_select` and its parameters, for use inside a larger one; "" if there can be no rows."""
    try:
        select, parameters = compiled(chosen(rows, [(model, columns)]))
    except EmptyResultSet:
        return "", ()
    operations = connections[rows.db].ops
    fields = [model._meta.get_field(name) for name in columns]
    suffix = ""
    if ignore_conflicts:
        suffix = operations.on_conflict_suffix_sql([], OnConflict.IGNORE, [], [])
    elif update_on:
        key, changed = _columns(model, update_on), _columns(model, update)
        suffix = operations.on_conflict_suffix_sql(fields, OnConflict.UPDATE, changed, key)
    table = operations.quote_name(model._meta.db_table)
    return f"INSERT INTO {table} ({columns_of(model, columns)}) {select} {suffix}", parameters


def chosen(
    rows: models.QuerySet[Any, Any], columns: Iterable[tuple[type[models.Model], dict[str, Any]]]
) -> models.QuerySet[Any, Any]:
    """The rows with nothing but the columns, each called as its field with `_` before: for use in a larger statement.

    Where the values come from is said as in `insert_select`, for the fields of one model or of several.
    """
    expressions = {
        f"_{name}": _expression(model._meta.get_field(name), value)
        for model, values in columns
        for name, value in values.items()
    }
    return rows.annotate(**expressions).values_list(*expressions)


def columns_of(model: type[models.Model], names: Iterable[str]) -> str:
    """The names of the fields' columns, as a statement lists them."""
    return ", ".join(connection.ops.quote_name(column) for column in _columns(model, names))


def named(rows: models.QuerySet[Any, Any]) -> tuple[str, dict[str, Any]]:
    """As `compiled`, with a name for each parameter, so that a larger statement may have more of its own."""
    return numbered(*compiled(rows))


def _columns(model: type[models.Model], names: Iterable[str]) -> list[str]:
    fields: Iterable[Any] = (model._meta.get_field(name) for name in names)
    return [field.column for field in fields]


def _expression(field: Any, value: Any) -> Any:
    """The value as an expression of the field's type, so that PostgreSQL need not guess a parameter's type."""
    if isinstance(value, str):
        return models.F(value)
    kind = field.target_field if field.remote_field else field
    if not hasattr(value, "resolve_expression"):
        value = models.Value(value, output_field=kind)
    return Cast(value, kind) if isinstance(value, models.Value) else value
