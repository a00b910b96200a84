"""A made-up shop, the same at every run: customers with their consents, products, and a year of orders with events."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection

from loyaltyflow.store.models import Cart, Customer, Order, Product, StoreSettings
from messaging.models import EmailTemplate
from segments import defaults
from segments.models import Segment
from workflows.models import Workflow

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=ZoneInfo("America/New_York"))
ORDERS_PER_CUSTOMER = 5
SHOP = "Bench data, edition 1, {scale} customers"

# Fractions of multiples of irrational numbers: evenly spread between 0 and 1, and the same at every run.
SPREAD = "({n} * {by}::float8 - floor({n} * {by}::float8))"
WHO = SPREAD.format(n="n", by="0.7548776662466927")
WHAT = SPREAD.format(n="n", by="0.5698402909980532")

CUSTOMERS = f"""
INSERT INTO store_customer (id, email, phone, first_name, last_name, gender, state, country, postal_code, time_zone,
                            language, registered_at, loyalty_joined_at)
SELECT n, 'bench' || n || '@example.com', '', (ARRAY['Ada', 'Ben', 'Cleo', 'Dev', 'Eva'])[1 + n %% 5], 'Bench', '',
       (ARRAY['MA', 'NY', 'CA', 'TX'])[1 + n %% 4], 'US', '', '', 'en',
       %(now)s - interval '2 years' * {WHO},
       CASE WHEN n %% 5 < 3 THEN %(now)s - interval '1 year' * {WHO} END
FROM generate_series(1::bigint, %(scale)s) AS n
"""
CONSENTS = """
INSERT INTO store_consent (customer_id, channel, status, source, proof, given_at)
SELECT id, 'email', CASE WHEN id %% 10 = 0 THEN 'opted_out' ELSE 'opted_in' END, 'bench', '', registered_at
FROM store_customer ORDER BY id
"""
PRODUCTS = """
INSERT INTO store_product (id, sku, name, category, brand, price, image_url, url)
SELECT n, 'BENCH-' || n, 'Product ' || n, 'Category ' || n %% 20, '', 1 + n %% 40, '', ''
FROM generate_series(1::bigint, %(products)s) AS n
"""
ORDERS = f"""
INSERT INTO store_order (id, customer_id, source, external_id, placed_at, completed_at, cancelled_at, net,
                         discount_code, channel, store_location)
SELECT n, 1 + floor(%(scale)s * power({WHO}, 1.5)), 'bench', n, placed_at, placed_at + interval '10 minutes',
       CASE WHEN n %% 50 = 0 THEN placed_at + interval '1 day' END, round((5 + 95 * {WHAT})::numeric, 2), '', 'web', ''
FROM generate_series(1::bigint, %(orders)s) AS n,
     LATERAL (SELECT %(now)s - interval '1 year' * (1 - n::float8 / %(orders)s) - interval '1 hour' AS placed_at) AS day
"""
LINES = """
INSERT INTO store_orderline (order_id, number, product_id, quantity, net)
SELECT o.id, number, 1 + (o.id * 7919 + number * 104729) %% %(products)s, 1, round(o.net / (1 + o.id %% 2), 2)
FROM store_order AS o, generate_series(1, 1 + o.id %% 2) AS number ORDER BY o.id, number
"""
EVENTS = """
INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT name, customer_id, occurred_at, 'bench', name || ':' || o.id,
       jsonb_build_object('order', o.id, 'net', o.net::text)
FROM store_order AS o,
     LATERAL (VALUES ('order_placed', placed_at), ('order_completed', completed_at)) AS happened (name, occurred_at)
ORDER BY o.id
"""
SEQUENCES = "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"


def midnight(days_ago: int) -> datetime:
    """The start of the day so many days before the shop's today."""
    return NOW.replace(hour=0) - timedelta(days=days_ago)


class NotBenchData(Exception):
    """The database holds something that this benchmark did not make."""


@dataclass(frozen=True)
class DataSet:
    """The shop that stands in the database."""

    scale: int

    @property
    def orders(self) -> int:
        return self.scale * ORDERS_PER_CUSTOMER

    @property
    def products(self) -> int:
        return max(100, self.scale // 100)

    @property
    def parameters(self) -> dict[str, Any]:
        return {"now": NOW, "scale": self.scale, "orders": self.orders, "products": self.products}


def ready(scale: int, say: Callable[[str], object]) -> DataSet:
    """The data set of `scale` customers, built now unless it stands already; raises NotBenchData on any other data."""
    data = DataSet(scale)
    _refuse_other_data()
    call_command("migrate", verbosity=0)
    if StoreSettings.load().name != SHOP.format(scale=scale):
        say(f"Building a shop of {scale:,} customers and {data.orders:,} orders.")
        _build(data)
    clear_work()
    return data


def clear_work() -> None:
    """Empty every table but the shop's facts, and take back the events and orders that a row left behind."""
    tables = [
        model._meta.db_table
        for app in ("segments", "messaging", "rewards", "workflows", "analytics")
        for model in apps.get_app_config(app).get_models()
    ]
    execute(f"TRUNCATE {', '.join(tables)}, store_feedreader, django_q_ormq RESTART IDENTITY CASCADE")
    forget_other_facts()


def forget_other_facts() -> None:
    """Delete the orders and events that are not the data set's own."""
    execute("DELETE FROM store_event WHERE source <> 'bench'")
    for table in ("store_refund", "store_orderline"):
        execute(f"DELETE FROM {table} WHERE order_id IN (SELECT id FROM store_order WHERE source <> 'bench')")
    execute("DELETE FROM store_order WHERE source <> 'bench'")


def execute(sql: str, parameters: dict[str, Any] | None = None) -> int:
    """The number of rows that the statement touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def answer(sql: str) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _refuse_other_data() -> None:
    if "store_customer" not in connection.introspection.table_names():
        return
    bench = StoreSettings.objects.filter(name__startswith="Bench data").exists()
    foreign = {
        "customers": Customer.objects.exclude(email__startswith="bench") if bench else Customer.objects.all(),
        "orders": Order.objects.exclude(source__startswith="bench") if bench else Order.objects.all(),
        "products": Product.objects.exclude(sku__startswith="BENCH-") if bench else Product.objects.all(),
        "segments": Segment.objects.exclude(name__startswith="Bench").exclude(is_active=False, name__in=_shipped()),
        "workflows": Workflow.objects.exclude(name__startswith="Bench"),
        "templates": EmailTemplate.objects.exclude(name__startswith="Bench"),
        "carts": Cart.objects.all(),
        "users": User.objects.all(),
    }
    found = [name for name, rows in foreign.items() if rows.exists()]
    if found:
        raise NotBenchData(
            f"This database holds {', '.join(found)} that the benchmark did not make, and it would delete them. "
            "Give it a database of its own: set DATA_DIR to an empty folder."
        )


def _shipped() -> list[str]:
    """The names of the segments that every new store has."""
    return [document.segment.name for document in defaults.described()]


def _build(data: DataSet) -> None:
    call_command("flush", interactive=False, verbosity=0)
    for sql in (CUSTOMERS, CONSENTS, PRODUCTS, ORDERS, LINES, EVENTS):
        execute(sql, data.parameters)
    for table in ("store_customer", "store_product", "store_order"):
        answer(SEQUENCES.format(table=table))
    execute("VACUUM ANALYZE")
    StoreSettings.objects.update_or_create(
        pk=1, defaults={"name": SHOP.format(scale=data.scale), "time_zone": str(NOW.tzinfo)}
    )
