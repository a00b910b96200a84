from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import connection

from loyaltyflow.bench.dataset import NOW, execute, forget_other_facts
from loyaltyflow.store.intake import ORDERS, Context
from loyaltyflow.store.intake.files import take_file
from loyaltyflow.store.models import StoreSettings

from .base import Row

SOURCE = "bench-import"
MOMENT = 'YYYY-MM-DD"T"HH24:MI:SSOF'
LINES_PER_ORDER = 9  # as in the real retailer's year of the demo store
MADE_UP = """
SELECT 'N' || (n - 1) / {each} AS number, 1 + (n - 1) / {each} * 7919 % {scale} AS customer,
       (n - 1) % {each} + 1 AS place,
       timestamptz '{now}' - interval '1 minute' * (1 + (n - 1) / {each} % 40000) AS at,
       1 + n * 104729 % {products} AS product, 1 + n % 3 AS quantity, (1 + n % 40)::numeric(12, 2) AS net
FROM generate_series(1::bigint, {lines}) AS n
"""
CSV = """
COPY (
    SELECT '{source}' AS source, number AS order_number, 'bench' || customer || '@example.com' AS email,
           to_char(at, '{moment}') AS placed_at, to_char(at, '{moment}') AS completed_at, 'web' AS channel,
           place AS line_number, 'BENCH-' || product AS sku, quantity, net AS line_net
    FROM ({rows}) AS rows
) TO STDOUT (FORMAT csv, HEADER)
"""
ORDERS_ALONE = """
INSERT INTO store_order (customer_id, source, external_id, placed_at, completed_at, net,
                         discount_code, channel, store_location)
SELECT customer, '{source}', number, at, at, sum(net), '', 'web', '' FROM ({rows}) AS rows GROUP BY 1, 3, 4
"""
LINES_ALONE = """
COPY (
    SELECT o.id, place, product, quantity, rows.net, 0 FROM ({rows}) AS rows
    JOIN store_order AS o ON o.source = '{source}' AND o.external_id = rows.number ORDER BY o.id, place
) TO STDOUT (FORMAT csv)
"""


class ImportOrders(Row):
    """Order lines from CSV: a bare COPY into the table of lines, and the importer with all that it checks and makes.

    The floor finds the orders in place already, and its file names them and the products by their keys.
    """

    name = "import.orders"
    target = 0.3
    unit = "lines"
    queries = {
        "lines": "SELECT count(*), sum(l.quantity), sum(l.net), sum(hashtext(external_id || number || product_id)) "
        f"FROM store_orderline AS l JOIN store_order AS o ON o.id = order_id WHERE source = '{SOURCE}'",
        "orders": f"SELECT count(*), sum(net), sum(customer_id) FROM store_order WHERE source = '{SOURCE}'",
    }

    def prepare(self) -> None:
        self.folder = TemporaryDirectory()
        self.file = Path(self.folder.name) / "orders.csv"
        self.bare = Path(self.folder.name) / "lines.csv"
        self.lines = self.data.scale
        numbers = {
            "scale": self.data.scale,
            "products": self.data.products,
            "lines": self.lines,
            "each": LINES_PER_ORDER,
        }
        rows = MADE_UP.format(**numbers, now=NOW.isoformat())
        self.known = {"source": SOURCE, "rows": rows, "moment": MOMENT}
        _save(CSV.format(**self.known), self.file)

    def reset(self, side: str) -> None:
        forget_other_facts()
        if side == "floor":
            execute(ORDERS_ALONE.format(**self.known))
            _save(LINES_ALONE.format(**self.known), self.bare)
        execute("VACUUM ANALYZE store_order, store_orderline, store_event")

    def floor(self) -> int:
        into = "COPY store_orderline (order_id, number, product_id, quantity, net, discount) FROM STDIN (FORMAT csv)"
        with connection.cursor() as cursor, cursor.copy(into) as copy, self.bare.open("rb") as file:
            while chunk := file.read(1 << 16):
                copy.write(chunk)
        return self.lines

    def product(self) -> int:
        outcome = take_file(ORDERS, self.file, Context.of(StoreSettings.load(), NOW, SOURCE))
        return outcome.counts["new lines"]

    def close(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


def _save(copy_out: str, path: Path) -> None:
    """Write what a `COPY … TO STDOUT` gives into the file."""
    with connection.cursor() as cursor, cursor.copy(copy_out) as copy, path.open("wb") as file:
        for chunk in copy:
            file.write(chunk)
