from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from . import cells, who
from .base import Column, Context, Kind, Reasons, Table

MOMENTS = ("placed_at", "completed_at", "shipped_at", "cancelled_at", "refunded_at")
AMOUNTS = ("net", "discount", "tax", "shipping", "refunded")
WORDS = ("discount_code", "channel", "store_location")
WHOSE = ("customer_id", "email", "phone")
FIELDS = (*MOMENTS, *AMOUNTS, *WORDS)
NOT_NEGATIVE = cells.number(10, 2, Decimal(0))
MONEY = cells.number(10, 2)


def _differs(fields: Iterable[str], left: str, right: str) -> str:
    return " OR ".join(f"{left}.{name} <> {right}.{name}" for name in fields)


# One row for each order: the columns of its first row, the sums of its lines, the order of that number if it is known.
# Each line number sets a bit; only where that gives fewer bits than numbers, they are compared one by one.
GATHER = f"""CREATE TEMPORARY TABLE intake_orders ON COMMIT DROP AS
WITH grouped AS (
    SELECT source, order_number, min(line) AS line, sum(line_net) AS lines_net, sum(line_discount) AS lines_discount,
        count(sku) AS lines,
        count(line_number) <> bit_count(bit_or(1::bigint << least(line_number, 63)::int)::bit(64)) AS may_repeat
    FROM intake_rows GROUP BY source, order_number)
SELECT coalesce(o.id, nextval((SELECT pg_get_serial_sequence('store_order', 'id')::regclass))) AS id,
    o.id IS NULL AS is_new, f.line, f.source, f.order_number,
    f.lines, f.customer_id, f.email, f.phone, {", ".join(f"f.{n}" for n in MOMENTS)},
    coalesce(f.net, f.lines_net) AS net, coalesce(f.discount, f.lines_discount) AS discount,
    f.tax, f.shipping, f.refunded, {", ".join(f"f.{n}" for n in WORDS)},
    f.may_repeat, f.net AS own_net, f.discount AS own_discount, NULL::text AS reason, NULL::bigint AS refused_line,
    CASE WHEN o.id IS NULL THEN 'created' ELSE 'unchanged' END AS status, o.customer_id AS known_customer,
    o.net AS known_net, o.refunded AS known_refunded, NULL::bigint AS customer
FROM (SELECT g.*, {", ".join(f"r.{n}" for n in (*WHOSE, *FIELDS))}
      FROM grouped g JOIN intake_rows r ON r.line = g.line ORDER BY g.line) f
LEFT JOIN store_order o ON o.source = f.source AND o.external_id = f.order_number"""
NUMBER = """UPDATE intake_rows r SET line_number = n.number FROM (
    SELECT line, row_number() OVER (PARTITION BY source, order_number ORDER BY line) AS number
    FROM intake_rows WHERE sku IS NOT NULL) n
WHERE n.line = r.line"""
SAME = " AND o.source = r.source AND o.order_number = r.order_number"
# The columns of the order as its first row has them, to compare with those of its other rows.
FIRST = {name: f"o.own_{name}" if name in ("net", "discount") else f"o.{name}" for name in (*FIELDS, *WHOSE)}
DISAGREE = f"""UPDATE intake_rows r SET reason = CASE
    {" ".join(f"WHEN r.{name} <> {first} THEN '{name}'" for name, first in FIRST.items())} END
    || ': is not the same as on line ' || o.line || ' of the same order.'
FROM intake_orders o WHERE r.reason IS NULL AND r.line <> o.line {SAME}
    AND ({" OR ".join(f"r.{name} <> {first}" for name, first in FIRST.items())})"""
TWICE = """UPDATE intake_rows r SET reason = 'line_number: ' || r.line_number || ' stands twice in the order.'
FROM (SELECT source, order_number, line_number FROM intake_rows JOIN intake_orders o USING (source, order_number)
      WHERE o.may_repeat AND line_number IS NOT NULL
      GROUP BY source, order_number, line_number HAVING count(*) > 1) d
WHERE r.reason IS NULL
    AND d.source = r.source AND d.order_number = r.order_number AND d.line_number = r.line_number"""
BOUND = f"""UPDATE intake_orders o SET refused_line = r.line FROM (
    SELECT source, order_number, min(line) AS line FROM intake_rows WHERE reason IS NOT NULL
    GROUP BY source, order_number) r WHERE true {SAME}"""
INCOMPLETE = """UPDATE intake_orders SET refused_line = line, reason = CASE
    WHEN is_new AND placed_at IS NULL THEN 'placed_at is missing.'
    WHEN is_new AND customer_id IS NULL AND email IS NULL AND phone IS NULL
        THEN 'customer_id, email or phone: one of them must say whose order it is.'
    WHEN is_new AND net IS NULL THEN 'net: say what was paid, for the order or for its lines.'
    WHEN abs(coalesce(net, 0)) >= 1e10 OR abs(coalesce(discount, 0)) >= 1e10
        THEN 'net: the sum of the lines has more than 10 digits.'
    ELSE 'refunded: more than the net amount was paid back.' END
WHERE refused_line IS NULL AND (is_new AND (placed_at IS NULL OR net IS NULL
    OR customer_id IS NULL AND email IS NULL AND phone IS NULL)
    OR abs(coalesce(net, 0)) >= 1e10 OR abs(coalesce(discount, 0)) >= 1e10
    OR coalesce(refunded, known_refunded, 0) > greatest(coalesce(net, known_net, 0), 0))"""
# What is wrong with an order as a whole stands on its first row; its other rows are refused because of that one.
REFUSE = f"""UPDATE intake_rows r SET because_of = nullif(o.refused_line, r.line), reason = CASE
    WHEN r.line = o.refused_line THEN o.reason
    ELSE 'Line ' || o.refused_line || ' of the same order was refused.' END
FROM intake_orders o WHERE o.refused_line IS NOT NULL AND r.reason IS NULL {SAME}"""
PEOPLE = """SELECT line, source, customer_id, email, phone, placed_at FROM intake_orders WHERE refused_line IS NULL
    AND NOT (customer_id IS NULL AND email IS NULL AND phone IS NULL)"""
OWNERS = "UPDATE intake_orders o SET customer = p.customer FROM intake_people p WHERE p.line = o.line"
LOST = """UPDATE intake_orders SET refused_line = line,
    reason = 'customer_id, email and phone name different customers within the file; '
    'send these rows one after another.'
WHERE refused_line IS NULL AND customer IS NULL
    AND (is_new OR NOT (customer_id IS NULL AND email IS NULL AND phone IS NULL))"""
# An order of which all was paid back, without a word when: from now on, unless it is known as refunded already.
WHOLLY_REFUNDED = """UPDATE intake_orders o SET refunded_at = %(now)s
WHERE refunded_at IS NULL AND refunded > 0 AND refunded >= coalesce(net, known_net)
    AND NOT EXISTS (SELECT FROM store_order s WHERE s.id = o.id AND s.refunded_at IS NOT NULL)"""
# An order of which all was said to be paid back, and less was: it is a purchase again.
PAID_AGAIN = """UPDATE store_order s SET refunded_at = NULL FROM intake_orders o
WHERE o.id = s.id AND o.refunded < o.known_refunded AND s.refunded < s.net
    AND o.refunded_at IS NULL AND s.refunded_at IS NOT NULL"""
DROP_REFUSED = "DELETE FROM intake_orders WHERE refused_line IS NOT NULL"
PRODUCTS = """INSERT INTO store_product (sku, name, category, brand, image_url, url)
SELECT DISTINCT ON (sku) sku, coalesce(product_name, sku), '', '', '', '' FROM intake_rows r
WHERE sku IS NOT NULL AND reason IS NULL AND NOT EXISTS (SELECT FROM store_product p WHERE p.sku = r.sku)
ORDER BY sku, line ON CONFLICT DO NOTHING"""
CHANGE = f"""WITH changed AS (
    UPDATE store_order s SET customer_id = coalesce(o.customer, s.customer_id),
        {", ".join(f"{name} = coalesce(o.{name}, s.{name})" for name in FIELDS)}
    FROM intake_orders o WHERE s.id = o.id AND NOT o.is_new AND (o.customer <> s.customer_id
        OR {_differs((*AMOUNTS, *WORDS), "o", "s")}
        OR {" OR ".join(f"o.{n} IS NOT NULL AND o.{n} IS DISTINCT FROM s.{n}" for n in MOMENTS)})
    RETURNING s.id)
UPDATE intake_orders o SET status = 'updated' FROM changed WHERE changed.id = o.id"""
CREATE = f"""INSERT INTO store_order (id, customer_id, source, external_id, {", ".join(FIELDS)})
SELECT id, customer, source, order_number, {", ".join(MOMENTS)}, net,
    {", ".join(f"coalesce({name}, 0)" for name in AMOUNTS[1:])}, {", ".join(f"coalesce({name}, '')" for name in WORDS)}
FROM intake_orders WHERE is_new ORDER BY id"""
# What was paid back more than we knew of. If it is less, the order's refunds were told wrongly and one replaces them.
REFUNDS = """WITH wrong AS (
    DELETE FROM store_refund r USING intake_orders o WHERE r.order_id = o.id AND o.refunded < o.known_refunded
    RETURNING r.order_id, r.at)
INSERT INTO store_refund (order_id, amount, at)
SELECT o.id, o.refunded - CASE WHEN o.refunded < o.known_refunded THEN 0 ELSE coalesce(o.known_refunded, 0) END,
    coalesce((SELECT max(at) FROM wrong WHERE order_id = o.id), o.refunded_at, %(now)s)
FROM intake_orders o WHERE o.refunded > 0 AND o.refunded <> coalesce(o.known_refunded, 0)"""
LINES = f"""CREATE TEMPORARY TABLE intake_lines ON COMMIT DROP AS
SELECT o.id AS order_id, r.line_number AS number, p.id AS product_id, coalesce(r.quantity, 1) AS quantity,
    coalesce(r.line_net, 0) AS net, coalesce(r.line_discount, 0) AS discount
FROM intake_rows r JOIN intake_orders o ON true {SAME} JOIN store_product p ON p.sku = r.sku
WHERE r.sku IS NOT NULL AND o.is_new = %(is_new)s"""
LINE_FIELDS = "order_id, number, product_id, quantity, net, discount"
CREATE_LINES = LINES.replace(
    "CREATE TEMPORARY TABLE intake_lines ON COMMIT DROP AS", f"INSERT INTO store_orderline ({LINE_FIELDS})"
)
CHANGE_LINES = f"""WITH gone AS (
    DELETE FROM store_orderline s USING (SELECT DISTINCT order_id FROM intake_lines) k WHERE s.order_id = k.order_id
        AND NOT EXISTS (SELECT FROM intake_lines n WHERE n.order_id = s.order_id AND n.number = s.number)
    RETURNING s.order_id),
changed AS (
    INSERT INTO store_orderline AS s ({LINE_FIELDS}) SELECT {LINE_FIELDS} FROM intake_lines n
    WHERE NOT EXISTS (SELECT FROM store_orderline k WHERE k.order_id = n.order_id AND k.number = n.number AND
        (k.product_id, k.quantity, k.net, k.discount) = (n.product_id, n.quantity, n.net, n.discount))
    ON CONFLICT (order_id, number) DO UPDATE SET product_id = excluded.product_id, quantity = excluded.quantity,
        net = excluded.net, discount = excluded.discount
    RETURNING s.order_id)
UPDATE intake_orders o SET status = 'updated'
WHERE o.id IN (SELECT order_id FROM gone UNION SELECT order_id FROM changed)"""
TELL = """INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT happened.name, s.customer_id, happened.at, s.source, happened.name || ':' || s.id,
    jsonb_build_object('order', s.id, 'net', s.net::text)
FROM ({orders}) s CROSS JOIN LATERAL (VALUES
    ('order_placed', s.placed_at), ('order_completed', s.completed_at), ('order_shipped', s.shipped_at),
    ('order_cancelled', s.cancelled_at),
    ('order_refunded', CASE WHEN s.refunded_at IS NOT NULL THEN s.refunded_at WHEN s.refunded > 0 THEN %(now)s END))
    AS happened (name, at)
WHERE happened.at IS NOT NULL {unless}"""
TELL_NEW = TELL.format(
    orders=f"""SELECT id, customer AS customer_id, source, net::numeric(12, 2) AS net, refunded, {", ".join(MOMENTS)}
    FROM intake_orders WHERE is_new""",
    unless="",
)
TELL_LATER = TELL.format(
    orders="SELECT s.* FROM store_order s JOIN intake_orders o ON o.id = s.id WHERE o.status = 'updated'",
    unless="ON CONFLICT DO NOTHING",
)
# A correction counts now, and once more when a time comes that it set ahead: its own event may stand at another time.
TELL_CHANGED = """INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT 'order_updated', whose.id, happened.at, s.source,
    'order_updated:' || s.id || ':' || whose.id || ':' || %(at)s
        || CASE WHEN happened.at > %(now)s THEN ':' || extract(epoch FROM happened.at) ELSE '' END,
    jsonb_build_object('order', s.id, 'net', s.net::text)
FROM intake_orders o JOIN store_order s ON s.id = o.id
CROSS JOIN LATERAL (SELECT s.customer_id UNION SELECT o.known_customer) AS whose (id)
CROSS JOIN LATERAL (SELECT %(now)s UNION SELECT at
    FROM unnest(ARRAY[s.placed_at, s.completed_at, s.cancelled_at, s.refunded_at]) AS at
    WHERE at > %(now)s) AS happened (at)
WHERE o.status = 'updated' ON CONFLICT DO NOTHING"""


class Orders(Kind):
    """What customers bought: one row for each line of an order, with the columns of the order on its first row."""

    name = "orders"
    together = ("source", "order_number")
    columns = (
        Column("source", cells.text(40), "The system that took the order. Empty: the sender's.", example="till"),
        Column("order_number", cells.text(120), "The order's number there.", "text", True, "10001"),
        Column("customer_id", cells.text(120), "What that system calls the customer.", example="C-17"),
        Column("email", cells.email, "The customer's e-mail address.", example="ann@example.com"),
        Column("phone", cells.phone, "The customer's phone number.", example="617 555 0117"),
        Column("placed_at", cells.moment, "When it was ordered.", "timestamptz", example="2026-10-02 17:45"),
        Column("completed_at", cells.moment, "When it was paid and done.", "timestamptz", example="2026-10-02 17:45"),
        Column("shipped_at", cells.moment, "When it left the store.", "timestamptz"),
        Column("cancelled_at", cells.moment, "When it was cancelled.", "timestamptz"),
        Column(
            "refunded_at", cells.moment, "When the whole of it was refunded; empty: when we learned it.", "timestamptz"
        ),
        Column(
            "net",
            MONEY,
            "Paid for the goods: after discounts, without tax and shipping. Empty: the lines' sum.",
            "numeric",
        ),
        Column("discount", NOT_NEGATIVE, "Taken off the whole order. Empty: the lines' sum.", "numeric"),
        Column("tax", NOT_NEGATIVE, "Tax on top of the net amount.", "numeric", example="0.54"),
        Column("shipping", NOT_NEGATIVE, "Paid for shipping.", "numeric"),
        Column("refunded", NOT_NEGATIVE, "Paid back of the net amount so far.", "numeric"),
        Column("discount_code", cells.text(60), "The code that was used."),
        Column("channel", cells.text(30), "Such as till, web or app.", example="till"),
        Column("store_location", cells.text(60), "The branch.", example="Salem"),
        Column(
            "line_number",
            cells.whole_number(1, 100_000),
            "The line's place on the bill, on every line or on none. Empty: the place in the file.",
            "bigint",
            example="1",
        ),
        Column("sku", cells.text(64), "The product of the line; an unknown one is made.", example="TEA-100"),
        Column("product_name", cells.text(200), "Name of a product that is not known yet.", example="Mint tea"),
        Column("quantity", cells.number(9, 3), "Units, such as 2 or 0.750. Empty: 1.", "numeric", example="2"),
        Column("line_net", MONEY, "Paid for the line: after discounts, without tax.", "numeric", example="9.00"),
        Column("line_discount", NOT_NEGATIVE, "Taken off the line.", "numeric", example="1.00"),
    )

    def check(self, table: Table, context: Context, reasons: Reasons) -> None:
        if "" in table["source"]:
            table["source"] = [source or context.source for source in table["source"]]
        for position, (sku, quantity, net) in enumerate(
            zip(table["sku"], table["quantity"], table["line_net"], strict=True)
        ):
            if not sku and (quantity or net):
                reasons[position].append("sku: say which product was bought.")

    def merge(self, cursor: Any, context: Context) -> dict[str, int]:
        self._gather(cursor)
        made = who.resolve(cursor, context, PEOPLE)
        for statement in (OWNERS, LOST, REFUSE, DROP_REFUSED):
            cursor.execute(statement)
        cursor.execute(WHOLLY_REFUNDED, {"now": context.now})
        for statement in (PRODUCTS, CHANGE, PAID_AGAIN, CREATE):
            cursor.execute(statement)
        cursor.execute(REFUNDS, {"now": context.now})
        cursor.execute("ANALYZE intake_orders")
        cursor.execute(CREATE_LINES, {"is_new": True})
        lines = cursor.rowcount
        cursor.execute("DROP TABLE IF EXISTS intake_lines")
        cursor.execute(LINES, {"is_new": False})
        cursor.execute("ANALYZE intake_lines")
        cursor.execute(CHANGE_LINES)
        for statement in (TELL_NEW, TELL_LATER):
            cursor.execute(statement, {"now": context.now})
        cursor.execute(TELL_CHANGED, {"now": context.now, "at": context.now.isoformat()})
        cursor.execute("SELECT status, count(*) FROM intake_orders GROUP BY status")
        counts = {"created": 0, "updated": 0, "unchanged": 0} | dict(cursor.fetchall())
        return counts | {"new lines": lines, "new customers": made}

    def _gather(self, cursor: Any) -> None:
        """One row for each order in intake_orders, with the reason if it must be refused."""
        cursor.execute(GATHER)
        cursor.execute("ANALYZE intake_orders")
        cursor.execute("SELECT EXISTS (SELECT FROM intake_rows WHERE sku IS NOT NULL AND line_number IS NULL)")
        cursor.execute(NUMBER if cursor.fetchone()[0] else TWICE)
        for statement in (DISAGREE, BOUND, INCOMPLETE, REFUSE):
            cursor.execute(statement)

    def statuses_sql(self) -> str:
        return f"""SELECT r.line, o.status FROM intake_rows r JOIN intake_orders o ON true {SAME}
                   WHERE r.reason IS NULL"""


ORDERS = Orders()
