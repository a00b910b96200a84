import hashlib
import json
from datetime import datetime
from typing import Any

from loyaltyflow.store.events import EventType

from . import cells, who
from .base import Column, Context, Kind, Reasons, Table

TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "text": ("a text", (str,)),
    "number": ("a number", (int, float)),
    "yes_no": ("true or false", (bool,)),
    "date": ("a date such as 2026-11-23", (str,)),
    "list": ("a list", (list,)),
}

PEOPLE = "SELECT line, source, customer_id, email, phone, occurred_at FROM intake_rows"
OWNERS = "UPDATE intake_rows r SET customer = p.customer FROM intake_people p WHERE p.line = r.line"
LOST = """UPDATE intake_rows SET reason = 'customer_id, email and phone name different customers within the list; '
    'send these events one after another.' WHERE customer IS NULL"""
ONCE = """UPDATE intake_rows SET event_id = 'account_registered:' || customer
WHERE name = 'account_registered' AND reason IS NULL"""
TELL = """WITH made AS (
    INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT DISTINCT ON (event_id) name, customer, occurred_at, source, event_id, coalesce(properties, '{}')
    FROM intake_rows WHERE reason IS NULL ORDER BY event_id, line
    ON CONFLICT DO NOTHING RETURNING key)
UPDATE intake_rows r SET status = 'created' FROM (
    SELECT min(line) AS line FROM intake_rows JOIN made ON made.key = event_id WHERE reason IS NULL GROUP BY event_id) m
WHERE m.line = r.line"""
REGISTER = """UPDATE store_customer c SET registered_at = r.occurred_at, updated_at = %(now)s FROM intake_rows r
WHERE r.name = 'account_registered' AND r.status = 'created' AND c.id = r.customer AND c.registered_at IS NULL"""
# A cart is as it was told last: what a clock that runs ahead tells of it happens now.
NOT_AHEAD = """UPDATE intake_rows SET occurred_at = %(now)s
WHERE name = 'cart_updated' AND occurred_at > %(now)s AND reason IS NULL"""
TOLD_CARTS = """CREATE TEMPORARY TABLE intake_carts ON COMMIT DROP AS
SELECT DISTINCT ON (source, cart) source, cart, customer, lines, items, value, occurred_at,
    CASE WHEN is_checked_out THEN occurred_at END AS checked_out_at
FROM (SELECT source, left(properties ->> 'cart', 120) AS cart, customer, occurred_at, line,
        coalesce(nullif(properties -> 'lines', 'null'), '[]') AS lines,
        coalesce((properties ->> 'items')::numeric, 0)::int AS items,
        coalesce((properties ->> 'value')::numeric, 0) AS value,
        coalesce((properties ->> 'checked_out')::boolean, false) AS is_checked_out
    FROM intake_rows WHERE name = 'cart_updated' AND reason IS NULL) told
ORDER BY source, cart, occurred_at DESC, line DESC"""
# Whose cart turns out to be somebody else's has it no longer.
LEFT_CARTS = """INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT 'cart_updated', c.customer_id, %(now)s, c.source,
    'cart_passed_on:' || c.id || ':' || c.customer_id || ':' || pg_current_xact_id(),
    jsonb_build_object('cart', c.external_id, 'items', 0, 'value', 0)
FROM store_cart c JOIN intake_carts t ON t.source = c.source AND t.cart = c.external_id
WHERE c.customer_id <> t.customer AND c.updated_at <= t.occurred_at ON CONFLICT DO NOTHING"""
CARTS = """INSERT INTO store_cart AS c
    (source, external_id, customer_id, lines, items, value, updated_at, checked_out_at)
SELECT source, cart, customer, lines, items, value, occurred_at, checked_out_at FROM intake_carts
ON CONFLICT (source, external_id) DO UPDATE SET customer_id = excluded.customer_id, lines = excluded.lines,
    items = excluded.items, value = excluded.value, updated_at = excluded.updated_at,
    checked_out_at = coalesce(c.checked_out_at, excluded.checked_out_at)
WHERE c.updated_at <= excluded.updated_at"""


class Events(Kind):
    """What happened to customers, by the names of the event catalogue. A customer who is not known yet is made."""

    name = "events"
    columns = (
        Column("name", cells.text(60), "Name of an event type, such as page_visited.", "text", True, "page_visited"),
        Column("source", cells.text(40), "The system it happened in. Empty: the sender's.", example="web"),
        Column(
            "event_id",
            cells.text(90),
            "The event's id there: told twice, it counts once. Empty: its content.",
            example="e-1",
        ),
        Column("customer_id", cells.text(120), "What that system calls the customer.", example="C-17"),
        Column("email", cells.email, "The customer's e-mail address.", example="ann@example.com"),
        Column("phone", cells.phone, "The customer's phone number."),
        Column("occurred_at", cells.moment, "When it happened.", "timestamptz", True, "2026-10-02T17:45:00-04:00"),
        Column(
            "properties",
            cells.json_object,
            "What is known of it, by the event type.",
            "jsonb",
            example='{"url": "/tea"}',
        ),
    )

    def check(self, table: Table, context: Context, reasons: Reasons) -> None:
        types = {kind.name: kind for kind in EventType.objects.all()}
        table["source"] = [source or context.source for source in table["source"]]
        for position, name in enumerate(table["name"]):
            row = {column: cells[position] for column, cells in table.items()}
            if not (row["customer_id"] or row["email"] or row["phone"]) and not reasons.get(position):
                reasons[position].append("customer_id, email or phone: one of them must say whom it happened to.")
            if name and (problems := judge(types.get(name), name, row["properties"])):
                reasons[position] += problems
            table["event_id"][position] = _key(row)

    def merge(self, cursor: Any, context: Context) -> dict[str, int]:
        who.resolve(cursor, context, PEOPLE)
        now = {"now": context.now}
        cursor.execute(NOT_AHEAD, now)
        for statement in (OWNERS, LOST, ONCE, TELL):
            cursor.execute(statement)
        cursor.execute(REGISTER, now)
        cursor.execute("DROP TABLE IF EXISTS intake_carts")
        cursor.execute(TOLD_CARTS)
        cursor.execute(LEFT_CARTS, now)
        cursor.execute(CARTS)
        cursor.execute("SELECT status, count(*) FROM intake_rows WHERE reason IS NULL GROUP BY status")
        return {"created": 0, "unchanged": 0} | dict(cursor.fetchall())


def _key(row: dict[str, str]) -> str:
    """The key that the same event told twice has both times: of its id, or of all that is known of it."""
    known = row["event_id"] or hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
    return f"{row['source']}:{row['name']}:{known}"


def judge(kind: EventType | None, name: str, properties: str) -> list[str]:
    """Why an event of this type cannot have these properties (JSON), one sentence each; none if it can."""
    if kind is None:
        return [f"name: {cells.shown(name)} is not in the event catalogue; add it under Event types first."]
    if not kind.is_sent_in:
        return [f"name: {name} is recorded by LoyaltyFlow itself and cannot be sent in."]
    known = json.loads(properties or "{}")
    problems = [
        f"properties: {key} must be {TYPES[expected][0]}, not {cells.shown(json.dumps(known[key]))}."
        for key, expected in kind.properties.items()
        if known.get(key) is not None and expected in TYPES and not _is(known[key], expected)
    ]
    return problems or (_judge_cart(known) if name == "cart_updated" else [])


def _is(value: Any, expected: str) -> bool:
    if expected == "date":
        try:
            return isinstance(value, str) and bool(datetime.fromisoformat(value))
        except ValueError:
            return False
    return isinstance(value, TYPES[expected][1]) and (expected == "yes_no" or not isinstance(value, bool))


def _judge_cart(known: dict[str, Any]) -> list[str]:
    problems = []
    if not known.get("cart") or len(known["cart"]) > 120:
        problems.append("properties: cart must be the cart's id, of at most 120 characters.")
    if not 0 <= (known.get("items") or 0) <= 1_000_000 or (known.get("items") or 0) % 1:
        problems.append("properties: items must be a whole number from 0 to 1,000,000.")
    if not 0 <= (known.get("value") or 0) < 9_999_999_999:
        problems.append("properties: value must be an amount from 0 up to 10 digits.")
    return problems


EVENTS = Events()
