import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import psycopg
from django.db import connection

from loyaltyflow.bench.dataset import NOW, answer, execute, forget_other_facts
from loyaltyflow.models import ApiKey
from loyaltyflow.only_added import emptying
from rewards.discounts.amount_off_bill import AmountOffBill
from rewards.models import Programme
from rewards.rules.points_per_spend import PointsPerSpend

from .base import Row

CLIENTS = 8
PEOPLE = 400
POINTS, SPENT = 1_000_000, 100
MEMBERS = """
SELECT id FROM store_customer
WHERE loyalty_joined_at IS NOT NULL AND loyalty_left_at IS NULL ORDER BY id LIMIT {people}
"""
GIFTS = """
WITH given AS (
    INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, explanation)
    SELECT id, 'migration', %(points)s, %(now)s, 'bench:' || id, 'Bench' FROM unnest(%(people)s::bigint[]) AS id
    RETURNING id, customer_id, points
),
lots AS (
    INSERT INTO rewards_lot (entry_id, customer_id, points, remaining, state, earned_at, available_at)
    SELECT id, customer_id, points, points, 'active', %(now)s, %(now)s FROM given
)
INSERT INTO rewards_account (customer_id, balance) SELECT customer_id, points FROM given
"""
CODES = """
INSERT INTO rewards_voucher (code, discount_id, state, uses_allowed, uses, customer_id)
SELECT 'BENCH' || n, %(discount)s, 'issued', 1, 0, (%(people)s::bigint[])[1 + n %% %(many)s]
FROM generate_series(1, %(sales)s) AS n
"""
TABLES = (
    "rewards_redemption, rewards_receipt, rewards_draw, rewards_lot, rewards_entry, rewards_account, rewards_voucher, "
    "loyaltyflow_answer"
)
ANSWER = """
INSERT INTO loyaltyflow_answer (api_key_id, key, fingerprint, status, body, created_at)
VALUES (%(api)s, %(key)s, %(print)s, 200, %(told)s, now())
"""
# One purchase as somebody who knows all tables would write it: the same rows, each fact that decides on it read once a
# request, nothing checked that the tables do not check themselves.
KNOWN = """SELECT pg_try_advisory_xact_lock(hashtextextended(%(key)s, 0)),
(SELECT body FROM loyaltyflow_answer WHERE api_key_id = %(api)s AND key = %(key)s)"""
LOCK = "SELECT balance FROM rewards_account WHERE customer_id = %(customer)s FOR NO KEY UPDATE"
READ = (
    """SELECT store.*, programme.*, key.digest, key.scopes, key.source, key.revoked_at
    FROM store_storesettings AS store, rewards_programme AS programme, loyaltyflow_apikey AS key
    WHERE key.id = %(api)s""",
    "SELECT id, sku, name, category, brand, earns_points FROM store_product WHERE id = ANY(%(products)s)",
    """SELECT customer.*, account.owed,
        (SELECT sum(remaining) FROM rewards_lot AS lot WHERE lot.customer_id = customer.id AND remaining > 0
            AND available_at <= now() AND (expires_at IS NULL OR expires_at > now())),
        (SELECT sum(points) FROM rewards_hold AS hold WHERE hold.customer_id = customer.id
            AND ended_at IS NULL AND hold.expires_at > now())
    FROM store_customer AS customer LEFT JOIN rewards_account AS account ON account.customer_id = customer.id
    WHERE customer.id = %(customer)s""",
    """SELECT voucher.*, discount.*, off.amount, EXISTS (
        SELECT FROM rewards_hold WHERE voucher_id = voucher.id AND ended_at IS NULL AND expires_at > now())
    FROM rewards_voucher AS voucher JOIN rewards_discount AS discount ON discount.id = voucher.discount_id
    JOIN rewards_amountoffbill AS off ON off.discount_ptr_id = discount.id WHERE voucher.code = %(code)s""",
    """SELECT rule.*, spend.points_per_unit FROM rewards_earningrule AS rule
    JOIN rewards_pointsperspend AS spend ON spend.earningrule_ptr_id = rule.id
    WHERE is_active AND starts_at <= now() AND (ends_at IS NULL OR ends_at > now())""",
    "SELECT * FROM rewards_multiplier WHERE is_active",
)
REDEEM = (
    "UPDATE rewards_voucher SET uses = uses + 1, state = 'redeemed' WHERE code = %(code)s AND state = 'issued'",
    "UPDATE rewards_discount SET uses = uses + 1 WHERE id = %(discount)s",
)
ORDER = """
INSERT INTO store_order (customer_id, source, external_id, placed_at, completed_at, net, discount, discount_code,
    channel, store_location)
VALUES (%(customer)s, 'till', %(sale)s, now(), now(), 30, 10, %(code)s, 'till', '') RETURNING id
"""
AFTER = (
    """INSERT INTO store_orderline (order_id, number, product_id, quantity, net, discount)
    SELECT %(order)s, n, p, 1, 15, 5 FROM unnest(%(products)s::bigint[]) WITH ORDINALITY AS line (p, n)""",
    """INSERT INTO rewards_redemption (discount_id, voucher_id, customer_id, order_id, amount, redeemed_at, is_single)
    SELECT %(discount)s, id, %(customer)s, %(order)s, 5, now(), true FROM rewards_voucher WHERE code = %(code)s""",
    """WITH made AS (
        INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, explanation, order_id)
        VALUES (%(customer)s, 'redeem', -100, now(), 'redeem:' || %(order)s, 'Points', %(order)s) RETURNING id
    ),
    lot AS (
        UPDATE rewards_lot SET remaining = remaining - 100 WHERE entry_id = (
            SELECT entry_id FROM rewards_lot WHERE customer_id = %(customer)s AND remaining > 0
            ORDER BY expires_at, earned_at LIMIT 1
        ) RETURNING entry_id
    )
    INSERT INTO rewards_draw (entry_id, lot_id, points) SELECT made.id, lot.entry_id, 100 FROM made, lot""",
    """WITH made AS (
        INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, explanation, order_id)
        VALUES (%(customer)s, 'earn', 30, now(), 'earn:' || %(order)s, 'Points', %(order)s) RETURNING id
    )
    INSERT INTO rewards_lot (entry_id, customer_id, points, remaining, state, earned_at, available_at)
    SELECT id, %(customer)s, 30, 30, 'active', now(), now() FROM made""",
    "UPDATE rewards_account SET balance = balance - 70, updated_at = now() WHERE customer_id = %(customer)s",
    """INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT name, %(customer)s, now(), 'till', name || ':' || %(order)s, jsonb_build_object('order', %(order)s::bigint)
    FROM unnest(%(events)s::text[]) AS name""",
    "INSERT INTO rewards_receipt (order_id, asked, told) VALUES (%(order)s, %(print)s, %(told)s::jsonb)",
    ANSWER,
)
EVENTS = ["order_placed", "order_completed", "voucher_redeemed", "points_redeemed", "points_earned"]


class TillCommit(Row):
    """A quote and a purchase with a code and points, over HTTP by eight clients: beside bare SQL by eight connections.

    The server runs as in production. The floor's quote reads what decides on the bill, and keeps an answer.
    """

    name = "till.commit"
    target = 0.25
    unit = "purchases"
    queries = {
        "orders": "SELECT count(*), sum(net), sum(discount), sum(customer_id) FROM store_order WHERE source = 'till'",
        "lines": "SELECT count(*), sum(l.net), sum(l.discount) FROM store_orderline l "
        "JOIN store_order o ON o.id = order_id WHERE source = 'till'",
        "uses": "SELECT count(*), sum(amount) FROM rewards_redemption",
        "vouchers": "SELECT state, count(*) FROM rewards_voucher GROUP BY 1 ORDER BY 1",
        "entries": "SELECT kind, count(*), sum(points) FROM rewards_entry GROUP BY 1 ORDER BY 1",
        "lots": "SELECT count(*), sum(remaining) FROM rewards_lot",
        "draws": "SELECT count(*), sum(points) FROM rewards_draw",
        "balances": "SELECT sum(balance) FROM rewards_account",
        "events": "SELECT name, count(*) FROM store_event WHERE source <> 'bench' GROUP BY 1 ORDER BY 1",
        "answers": "SELECT count(*) FROM loyaltyflow_answer",
        "receipts": "SELECT count(*) FROM rewards_receipt",
    }

    def prepare(self) -> None:
        Programme.load()
        self.sales = max(40, min(1_600, self.data.scale // 50))
        self.people = [pk for (pk,) in answer(MEMBERS.format(people=PEOPLE))]
        self.key, self.secret = ApiKey.issue("Bench", ["till"])
        self.discount = AmountOffBill.objects.create(name="Bench", title="$5.00 off", is_active=True, amount=Decimal(5))
        PointsPerSpend.objects.create(name="Bench", points_per_unit=1, starts_at=NOW.replace(year=2020))
        self.port = _free_port()
        self.server = self._serve()
        self.told = ""
        body = {"customer": self.people[0], "bill": {"lines": [{"sku": "BENCH-1", "amount": "20.00"}] * 2}}
        for number in range(4 * CLIENTS):  # each worker has begun, and what is told is as long as any other
            with closing(self._client()) as client:
                self._send(client, "quote", f"first {number}", body)

    def _serve(self) -> "subprocess.Popen[bytes]":
        known = connection.settings_dict
        user = f"{quote(known['USER'] or '')}:{quote(known['PASSWORD'] or '')}"
        host = f"{quote(known['HOST'], safe='')}{':' + str(known['PORT']) if known['PORT'] else ''}"
        environment = {**os.environ, "LOCAL": "true", "DATABASE_URL": f"postgresql://{user}@{host}/{known['NAME']}"}
        bind = ["--bind", f"127.0.0.1:{self.port}", "--workers", "2", "--threads", "8", "--log-level", "warning"]
        server = subprocess.Popen([sys.executable, "-m", "gunicorn", "loyaltyflow.wsgi", *bind], env=environment)
        for _ in range(600):
            try:
                with closing(self._client()) as client:
                    client.request("GET", "/api/v1/schema")
                    client.getresponse().read()
                return server
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("The server did not begin to answer within a minute.")

    def _client(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=60)

    def reset(self, side: str) -> None:
        execute(emptying(f"TRUNCATE {TABLES} CASCADE"))
        forget_other_facts()
        execute("UPDATE rewards_discount SET uses = 0")
        known = {"now": NOW, "people": self.people, "many": len(self.people), "points": POINTS, "sales": self.sales}
        known["discount"] = self.discount.pk
        execute(GIFTS, known)
        execute(CODES, known)
        execute(f"VACUUM ANALYZE {TABLES}, store_order, store_orderline, store_event")

    def product(self) -> int:
        return self._by_clients(self._sell)

    def floor(self) -> int:
        return self._by_clients(self._write)

    def _by_clients(self, work: Any) -> int:
        """The sales that eight clients made, each a share of them."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            return sum(pool.map(lambda client: work(range(1 + client, self.sales + 1, CLIENTS)), range(CLIENTS)))

    def _sell(self, sales: range) -> int:
        with closing(self._client()) as client:
            for sale in sales:
                lines = [{"sku": f"BENCH-{1 + (sale + n) % self.data.products}", "amount": "20.00"} for n in (0, 1)]
                body = {"customer": self._customer(sale), "codes": [f"BENCH{sale}"], "points_to_use": SPENT}
                body |= {"bill": {"lines": lines}}
                self._send(client, "quote", f"q{sale}", body)
                self._send(client, "orders", f"{sale}", {**body, "external_id": f"{sale}"})
        return len(sales)

    def _send(self, client: HTTPConnection, path: str, key: str, body: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self.secret}", "Idempotency-Key": key}
        headers["Content-Type"] = "application/json"
        client.request("POST", f"/api/v1/till/{path}", json.dumps(body), headers)
        response = client.getresponse()
        text = response.read()
        if response.status != 200:
            raise AssertionError(f"{path} was answered by {response.status}: {text.decode()}")
        self.told = text.decode()

    def _write(self, sales: range) -> int:
        known = connection.settings_dict
        where: dict[str, Any] = {name.lower(): known[name] or None for name in ("USER", "PASSWORD", "HOST", "PORT")}
        with psycopg.connect(dbname=known["NAME"], **where) as bare, bare.cursor() as cursor:
            for sale in sales:
                self._write_one(cursor, sale)
                bare.commit()
        return len(sales)

    def _write_one(self, cursor: "psycopg.Cursor[Any]", sale: int) -> None:
        known: dict[str, Any] = {"api": self.key.pk, "sale": str(sale), "customer": self._customer(sale)}
        known |= {"code": f"BENCH{sale}", "discount": self.discount.pk, "print": "0" * 64, "told": self.told}
        known |= {"products": [1 + (sale + n) % self.data.products for n in (0, 1)], "events": EVENTS}
        cursor.execute("SET LOCAL synchronous_commit = off")
        for statement in (KNOWN, *READ, ANSWER):
            cursor.execute(statement, {**known, "key": f"q{sale}"})
        cursor.connection.commit()
        known["key"] = str(sale)
        for statement in (KNOWN, LOCK, *READ, *REDEEM):
            cursor.execute(statement, known)
        [known["order"]] = cursor.execute(ORDER, known).fetchone() or [0]
        for statement in AFTER:
            cursor.execute(statement, known)

    def _customer(self, sale: int) -> int:
        return self.people[sale % len(self.people)]

    def close(self) -> None:
        if hasattr(self, "server"):
            self.server.terminate()
            self.server.wait(30)
        if hasattr(self, "key"):
            self.key.delete()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
