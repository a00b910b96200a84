"""A made-up shop, the same at every run: customers, products, a year of orders, and what else is known of customers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.color import no_style
from django.core.management.sql import emit_post_migrate_signal, sql_flush
from django.db import connection

from loyaltyflow.only_added import emptying
from loyaltyflow.store.models import Cart, Customer, Order, Product, StoreSettings
from messaging.models import EmailTemplate
from segments import defaults
from segments.models import Segment
from workflows.models import Workflow

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=ZoneInfo("America/New_York"))
ORDERS_PER_CUSTOMER = 5
SHOP = "Bench data, edition 2, {scale} customers"

# Fractions of multiples of irrational numbers: evenly spread between 0 and 1, and the same at every run.
SPREAD = "({n} * {by}::float8 - floor({n} * {by}::float8))"
WHO = SPREAD.format(n="n", by="0.7548776662466927")
WHAT = SPREAD.format(n="n", by="0.5698402909980532")

CUSTOMERS = f"""
INSERT INTO store_customer (id, email, phone, first_name, last_name, gender, state, country, postal_code, time_zone,
                            language, birth_year, birth_month, birth_day, registered_at, profile_completed_at,
                            loyalty_joined_at, loyalty_left_at, attributes, created_at)
SELECT n, 'bench' || n || '@example.com', CASE WHEN n %% 3 = 0 THEN '+1617' || lpad(n::text, 7, '0') ELSE '' END,
       (ARRAY['Ada', 'Ben', 'Cleo', 'Dev', 'Eva'])[1 + n %% 5], 'Bench', (ARRAY['female', 'male', ''])[1 + n %% 3],
       (ARRAY['MA', 'NY', 'CA', 'TX'])[1 + n %% 4], 'US', lpad((n %% 99999)::text, 5, '0'), '',
       CASE WHEN n %% 7 = 0 THEN 'es' ELSE 'en' END, birth.year, birth.month, birth.day, known_since,
       CASE WHEN n %% 4 = 0 THEN known_since + interval '1 day' END,
       joined, CASE WHEN n %% 50 = 1 THEN joined + (%(now)s - joined) / 2 END,
       jsonb_build_object('roast', (ARRAY['dark', 'medium', 'light'])[1 + n %% 3], 'cups', n %% 9), known_since
FROM generate_series(1::bigint, %(scale)s) AS n
CROSS JOIN LATERAL (SELECT %(now)s - interval '2 years' * {WHO} AS known_since,
                           CASE WHEN n %% 5 < 3 THEN %(now)s - interval '1 year' * {WHO} END AS joined) AS days
LEFT JOIN LATERAL (SELECT 1940 + n %% 65 AS year, 1 + n %% 12 AS month, 1 + n %% 28 AS day) AS birth ON n %% 3 > 0
"""
CONSENTS = """
INSERT INTO store_consent (customer_id, channel, status, source, proof, given_at)
SELECT id, 'email', CASE WHEN id %% 10 = 0 THEN 'opted_out' ELSE 'opted_in' END, 'bench', '', registered_at
FROM store_customer ORDER BY id
"""
PRODUCTS = """
INSERT INTO store_product (id, sku, name, category, brand, price, image_url, url)
SELECT n, 'BENCH-' || n, 'Product ' || n, 'Category ' || n %% 20, 'Brand ' || n %% 15, 1 + n %% 40, '', ''
FROM generate_series(1::bigint, %(products)s) AS n
"""
ORDERS = f"""
INSERT INTO store_order (id, customer_id, source, external_id, placed_at, completed_at, cancelled_at, net, refunded,
                         discount_code, channel, store_location)
SELECT n, 1 + floor(%(scale)s * power({WHO}, 1.5)), 'bench', n, placed_at, placed_at + interval '10 minutes',
       CASE WHEN n %% 50 = 0 THEN placed_at + interval '1 day' END, net, CASE WHEN n %% 60 = 1 THEN net / 2 ELSE 0 END,
       CASE WHEN n %% 8 = 0 THEN 'WELCOME' ELSE '' END, (ARRAY['till', 'web', 'app'])[1 + n %% 3],
       (ARRAY['Salem', 'Boston', 'Lowell'])[1 + n %% 3]
FROM generate_series(1::bigint, %(orders)s) AS n,
     LATERAL (SELECT %(now)s - interval '1 year' * (1 - n::float8 / %(orders)s) - interval '1 hour' AS placed_at,
                     2 * round((5 + 95 * {WHAT})::numeric / 2, 2) AS net) AS day
"""
REFUNDS = """
INSERT INTO store_refund (order_id, amount, at)
SELECT id, refunded, least(completed_at + interval '3 days', %(now)s) FROM store_order WHERE refunded > 0 ORDER BY id
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
# Pages and products that they looked at, and the app: four for each, the last hundred days.
VISITS = f"""
INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT (ARRAY['page_visited', 'product_viewed', 'mobile_login', 'survey_answered'])[1 + n %% 4],
       1 + floor(%(scale)s * {WHO}), %(now)s - interval '100 days' * {WHAT}, 'bench', 'visit:' || n,
       (ARRAY[jsonb_build_object('url', 'https://shop.example.com/category/' || n %% 20, 'title', 'Category'),
              jsonb_build_object('sku', 'BENCH-' || 1 + n %% %(products)s, 'url', ''),
              jsonb_build_object('device', 'phone'),
              jsonb_build_object('survey', 'Coffee', 'score', n %% 11)])[1 + n %% 4]
FROM generate_series(1::bigint, 4 * %(scale)s) AS n ORDER BY 2
"""
TAGS = "INSERT INTO store_tag (id, name) SELECT n, 'bench tag ' || n FROM generate_series(1, 3) AS n"
TAGGINGS = """
INSERT INTO store_tagging (customer_id, tag_id, added_at)
SELECT id, tag, %(now)s - interval '1 day' * (id %% 300) FROM store_customer, generate_series(1, 3) AS tag
WHERE id %% (tag * 11) = 0
"""
CARTS = """
INSERT INTO store_cart (source, external_id, customer_id, lines, items, value, updated_at, checked_out_at)
SELECT 'bench', id, id, jsonb_build_array(jsonb_build_object('sku', 'BENCH-' || 1 + id %% %(products)s, 'quantity', 1)),
       1 + id %% 4, 10 + id %% 90, %(now)s - interval '1 hour' * (id %% 900),
       CASE WHEN id %% 30 = 0 THEN %(now)s - interval '1 hour' * (id %% 900) END
FROM store_customer WHERE id %% 10 = 0
"""
FACTS = (CUSTOMERS, CONSENTS, PRODUCTS, ORDERS, REFUNDS, LINES, EVENTS, VISITS, TAGS, TAGGINGS, CARTS)
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
    """Empty every table but the shop's facts, and take back the facts that a row added."""
    tables = [
        model._meta.db_table
        for app in ("segments", "messaging", "rewards", "workflows", "analytics")
        for model in apps.get_app_config(app).get_models()
        if model._meta.managed
    ]
    execute(emptying(f"TRUNCATE {', '.join(tables)}, store_feedreader, django_q_ormq RESTART IDENTITY CASCADE"))
    forget_other_facts()


def forget_other_facts() -> None:
    """Delete the orders, events, consents and tags that are not the data set's own."""
    execute("DELETE FROM store_event WHERE source <> 'bench'")
    execute("DELETE FROM store_consent WHERE source <> 'bench'")
    execute("DELETE FROM store_tagging WHERE added_at > %(now)s", {"now": NOW})
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
        "carts": Cart.objects.exclude(source__startswith="bench"),
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


def _flush() -> None:
    """Empty every table, those that are only added to as well, and write what each new database holds."""
    for statement in sql_flush(no_style(), connection, allow_cascade=True):
        execute(emptying(statement))
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default")


def _build(data: DataSet) -> None:
    _flush()
    for sql in FACTS:
        execute(sql, data.parameters)
    for table in ("store_customer", "store_product", "store_order", "store_tag"):
        answer(SEQUENCES.format(table=table))
    execute("VACUUM ANALYZE")
    StoreSettings.objects.update_or_create(
        pk=1, defaults={"name": SHOP.format(scale=data.scale), "time_zone": str(NOW.tzinfo)}
    )
