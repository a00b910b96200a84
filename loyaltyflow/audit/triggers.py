"""The triggers that write the audit: one set for each table, which costs a statement as much as its rows are many."""

from hashlib import sha256
from typing import Any

from django.apps import AppConfig
from django.db import connections

from .tracked import NOISE, Tracked, tracked

# Who is at work, as the middleware has told the connection. Without it, it is the program, or somebody in the database.
WHO = """
CREATE OR REPLACE FUNCTION audit_who(
    OUT user_id bigint, OUT actor text, OUT role text, OUT address text, OUT path text, OUT reason text, OUT told jsonb
) LANGUAGE sql STABLE AS $$
    SELECT who.id, left(coalesce(who.username, said ->> 'actor', ''), 150),
        left(
            CASE WHEN said IS NULL THEN 'database: ' || session_user WHEN who.is_superuser THEN 'superuser'
            ELSE coalesce((
                SELECT string_agg(g.name, ', ' ORDER BY g.name)
                FROM auth_user_groups m JOIN auth_group g ON g.id = m.group_id WHERE m.user_id = who.id
            ), '') END, 300
        ),
        left(coalesce(said ->> 'address', ''), 45), left(coalesce(said ->> 'path', ''), 300),
        left(coalesce(said ->> 'reason', ''), 300), coalesce(said -> 'told', '{}'::jsonb)
    FROM (SELECT nullif(current_setting('pghistory.context_metadata', true), '')::jsonb AS said) AS context
    LEFT JOIN auth_user AS who ON who.id = (said ->> 'user')::bigint
$$;
"""

# Within one transaction what happens to an object is one change: the first value before, the last one after.
FUNCTION = """
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO loyaltyflow_change AS known (
        at, action, model, object_id, name, before, after, user_id, actor, role, address, path, reason
    )
    SELECT transaction_timestamp(), '{action}', '{label}', c.id, left(coalesce(c.name, ''), 200),
        c.before || coalesce(who.told -> ('{label}:' || c.id) -> 'before', '{{}}'),
        c.after || coalesce(who.told -> ('{label}:' || c.id) -> 'after', '{{}}'),
        who.user_id, who.actor, who.role, who.address, who.path, who.reason
    FROM (
        SELECT id, max(name) AS name,
            coalesce(jsonb_object_agg(key, was) FILTER (WHERE was IS NOT NULL), '{{}}') AS before,
            coalesce(jsonb_object_agg(key, is_now) FILTER (WHERE is_now IS NOT NULL), '{{}}') AS after
        FROM ({rows}) AS changed
        WHERE id IS NOT NULL
        GROUP BY id ORDER BY id
    ) AS c, audit_who() AS who
    ON CONFLICT (model, object_id, at, transaction) DO UPDATE SET
        action = CASE WHEN excluded.action = 'deleted' THEN 'deleted' ELSE known.action END,
        name = coalesce(nullif(excluded.name, ''), known.name),
        before = excluded.before || known.before,
        after = known.after || excluded.after;
    RETURN NULL;
END
$$;
"""
VALUE = "CASE WHEN {key} = ANY(ARRAY[{hidden}]::text[]) THEN '\"•••\"'::jsonb ELSE {value} END"
ONE_SIDE = """
SELECT {owner} AS id, {name} AS name, {prefix} || v.key AS key, {was} AS was, {is_now} AS is_now
FROM {side} AS r, jsonb_each(to_jsonb(r) - ARRAY[{skip}]::text[]) AS v
WHERE {only} AND v.value NOT IN ('null', '""', '[]', '{{}}')
"""
BOTH_SIDES = """
SELECT {owner} AS id, {name} AS name, {prefix} || v.key AS key, {was} AS was, {is_now} AS is_now
FROM new_rows AS r JOIN old_rows AS o ON o.{pk} = r.{pk}, jsonb_each(to_jsonb(r) - ARRAY[{skip}]::text[]) AS v
WHERE to_jsonb(o) -> v.key IS DISTINCT FROM v.value AND {only}
"""
TRIGGER = """
CREATE OR REPLACE TRIGGER {function} AFTER {event} ON {table} REFERENCING {sides}
FOR EACH STATEMENT EXECUTE FUNCTION {function}();
"""
SIDES = {
    "INSERT": "NEW TABLE AS new_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
}
EVENTS = tuple(SIDES)
ACTIONS = {"INSERT": "added", "UPDATE": "changed", "DELETE": "deleted"}
DIGEST = "SELECT obj_description(to_regproc('audit_who'), 'pg_proc')"
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"


def install(sender: AppConfig, using: str = "default", **kwargs: Any) -> None:
    """Make the triggers of all audited tables, unless they are there as they should be."""
    with connections[using].cursor() as cursor:
        cursor.execute(TABLES)
        there = {row[0] for row in cursor.fetchall()}
        statements = WHO + "".join(triggers_of(each) for each in tracked() if each.table in there)
        digest = sha256(statements.encode()).hexdigest()
        cursor.execute(DIGEST)
        if "loyaltyflow_change" in there and "auth_user" in there and cursor.fetchone()[0] != digest:
            cursor.execute(statements)
            cursor.execute(f"COMMENT ON FUNCTION audit_who() IS '{digest}'")


def writers() -> list[tuple[str, str]]:
    """Every audited table, with the name of each trigger that writes its changes down."""
    return [(each.table, _name(each, event)) for each in tracked() for event in EVENTS]


def triggers_of(each: Tracked) -> str:
    """The functions and triggers of the table."""
    return "".join(_trigger(each, event) for event in EVENTS)


def _trigger(each: Tracked, event: str) -> str:
    function = _name(each, event)
    action = "changed" if each.is_part else ACTIONS[event]
    made = FUNCTION.format(function=function, action=action, label=each.label, rows=_rows(each, event))
    return made + TRIGGER.format(function=function, event=event, table=each.table, sides=SIDES[event])


def _name(each: Tracked, event: str) -> str:
    return f"audit_{each.table}_{event.lower()}"[:63]


def _rows(each: Tracked, event: str) -> str:
    """The changed columns of each changed row: whose, what it is called, and what it was and is."""
    known = {"owner": each.owner, "name": each.name, "prefix": each.prefix, "only": each.only, "pk": each.pk}
    known["skip"] = ", ".join(f"'{column}'" for column in sorted({*NOISE, *each.skip}))
    hidden = ", ".join(f"'{column}'" for column in each.hidden)
    now = VALUE.format(key="v.key", value="v.value", hidden=hidden)
    if event == "UPDATE":
        was = VALUE.format(key="v.key", value="to_jsonb(o) -> v.key", hidden=hidden)
        return BOTH_SIDES.format(**known, was=was, is_now=now)
    if event == "DELETE":
        return ONE_SIDE.format(**known, was=now, is_now="NULL::jsonb", side="old_rows")
    known["only"] = f"{each.only} AND {each.only_new}"
    return ONE_SIDE.format(**known, was="NULL::jsonb", is_now=now, side="new_rows")
