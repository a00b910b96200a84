"""Statements that are asked again and again: PostgreSQL plans each once for a connection, and Django writes none.

For what a till waits for. A statement must be the same text each time, with its values as parameters; a parameter whose
type nothing else tells is cast, such as `%(name)s::text`. Tables that are audited are not written by them: they go past
what tells the audit who is at work.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import count
from typing import Any, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.postgresql.base import ServerBindingCursor

Row = TypeVar("Row", bound=models.Model)
# Else PostgreSQL plans anew each time what asks by a list of ids: it takes lists for longer than they are here.
ONE_PLAN = "SET plan_cache_mode = force_generic_plan"
MANY = 1_000  # rows, more of which are not kept after they were read
Parameters = Mapping[str, Any] | Sequence[Any]


def rows(sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """What the statement returns; nothing for one that only writes."""
    database: Any = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    database.validate_no_broken_transaction()
    cursor = _cursor(database)
    with database.wrap_database_errors:
        if database.queries_logged:
            with database.make_debug_cursor(cursor).debug_sql(sql, parameters):
                cursor.execute(sql, parameters)
        else:
            cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall() if cursor.pgresult.nfields else []
    if len(found) > MANY:
        del database.planned  # which still holds them
    return found


def _cursor(database: Any) -> Any:
    """The connection's own cursor for such statements: it keeps how it writes and reads values of each type."""
    known: Any = vars(database).get("planned")
    if known is None or known.connection is not database.connection:
        database.planned = known = cast(Any, ServerBindingCursor)(database.connection)
        database.connection.prepare_threshold = 0  # of cursors such as this; Django's own write values into the text
        known.execute(ONE_PLAN)
    return known


def read(model: type[Row], where: str, parameters: Parameters = ()) -> list[Row]:
    """The rows of the model's table, and of those that it extends, of which `where` holds; it may go on as SQL does.

    Columns have the names of the model's; of a kind's own key, that of the table which it extends.
    """
    select, make = _reading(model)
    return [make(row) for row in rows(f"{select} WHERE {where}", parameters)]


def first(model: type[Row], where: str, parameters: Parameters = ()) -> Row | None:
    """The first of them, if there is one."""
    found = read(model, where, parameters)
    return found[0] if found else None


def made(model: type[Row], sql: str, parameters: Parameters = ()) -> list[Row]:
    """The rows of the model that the statement's last query, `made`, returns with all their columns."""
    select, make = _reading(model)
    columns = select.partition(" FROM ")[0]
    table = connection.ops.quote_name(model._meta.db_table)
    return [make(row) for row in rows(f"{sql} {columns} FROM made AS {table}", parameters)]


@cache
def _reading(model: type[Row]) -> tuple[str, Callable[[Sequence[Any]], Row]]:
    """The SELECT of the model's rows, and what makes an object of each."""
    fields: Any = model._meta.concrete_fields
    quoted = connection.ops.quote_name
    columns = ", ".join(f"{quoted(each.model._meta.db_table)}.{quoted(each.column)}" for each in fields)
    tables = quoted(model._meta.db_table)
    parents: Any = model._meta.parents
    for parent, link in parents.items():
        theirs, key = quoted(parent._meta.db_table), quoted(parent._meta.pk.column)
        tables += f" JOIN {theirs} ON {theirs}.{key} = {quoted(model._meta.db_table)}.{quoted(link.column)}"
    names = [each.attname for each in fields]
    made_of = [(place, convert) for place, each in enumerate(fields) for convert in each.get_db_converters(connection)]

    def make(row: Sequence[Any]) -> Row:
        values = list(row)
        for place, convert in made_of:
            values[place] = convert(values[place], None, connection)
        return model.from_db("default", names, values)

    return f"SELECT {columns} FROM {tables}", make


def numbered(sql: str, parameters: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """The statement with a name for each parameter, and the parameters by these."""
    return _numbered(sql), {f"row_{number}": value for number, value in enumerate(parameters)}


@lru_cache(maxsize=256)
def _numbered(sql: str) -> str:
    numbers = count()
    return re.sub(r"%[%s]", lambda found: found[0] if found[0] == "%%" else f"%(row_{next(numbers)})s", sql)
