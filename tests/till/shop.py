"""A shop with a till: members with points, codes, and a client of the API."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import connection
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat
from django.test import Client
from django.utils import timezone

from loyaltyflow.models import ApiKey
from loyaltyflow.store.models import Customer
from rewards import ledger
from rewards.discounts.amount_off_bill import AmountOffBill
from rewards.points import Entry
from rewards.rules.points_per_spend import PointsPerSpend
from rewards.vouchers import Voucher
from tests import factories

JOINED = datetime(2020, 1, 1, tzinfo=UTC)
_numbers = count(1)
# What changes although nothing happens: a key notes when it was used last.
NOT_LOOKED_AT = {"loyaltyflow_apikey", "django_session"}


def member(points: int = 0, **fields: Any) -> Customer:
    """A member of the programme with so many points to spend."""
    who = factories.customer(loyalty_joined_at=JOINED, **fields)
    if points:
        ledger.award(
            Customer.objects.filter(pk=who.pk),
            kind=Entry.Kind.MANUAL_ADD,
            points=Value(points),
            key=Concat(Value("gift:"), Cast("pk", TextField()), output_field=TextField()),
            customer="pk",
            explanation=Value("For the test"),
            now=timezone.now(),
        )
    return who


def rule(rate: str = "1", **fields: Any) -> PointsPerSpend:
    """One point, or so many, for each unit of currency."""
    name = f"Rule {next(_numbers)}"
    return PointsPerSpend.objects.create(name=name, points_per_unit=Decimal(rate), starts_at=JOINED, **fields)


def off(amount: str = "10.00", **fields: Any) -> AmountOffBill:
    """So much off the bill."""
    name = f"Off {next(_numbers)}"
    known = {"name": name, "title": f"${amount} off", "is_active": True, "combines": True, **fields}
    return AmountOffBill.objects.create(amount=Decimal(amount), **known)


def code(text: str, of: AmountOffBill | None = None, **fields: Any) -> Voucher:
    """A code; for one use, unless it says otherwise."""
    return Voucher.objects.create(code=text, discount=of or off(), **fields)


def bill(*amounts: str, **fields: Any) -> dict[str, Any]:
    """A bill with a line for each amount."""
    lines = [{"sku": f"TEA-{number}", "amount": amount} for number, amount in enumerate(amounts or ("40.00",), 1)]
    return {"lines": lines, **fields}


class Till:
    """A till that calls the API; it keeps what it sent and what it was answered."""

    def __init__(self, secret: str, name: str = "Till 1") -> None:
        self.secret, self.name = secret, name
        self.sent: list[tuple[tuple[str, str, str | bytes, str], Any]] = []

    def __call__(self, path: str, body: Any = None, key: str = "", method: str = "POST", **headers: str) -> Any:
        """The response to what is sent to the address."""
        key = key or f"{self.name}-{next(_numbers)}-{timezone.now().timestamp()}"
        sent = (method, path, body if isinstance(body, bytes) else json.dumps(body), key)
        response = self.send(*sent, **headers)
        self.sent.append((sent, response))
        return response

    def send(self, method: str, path: str, body: bytes | str, key: str, **headers: str) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}", "Idempotency-Key": key, **headers}
        return Client().generic(method, f"/api/v1/{path}", body, content_type="application/json", headers=headers)

    def look_up(self, **by: str) -> Any:
        return Client().get("/api/v1/customers/lookup", by, headers={"Authorization": f"Bearer {self.secret}"})


def till(scopes: tuple[str, ...] = ("till",), source: str = "till") -> Till:
    """A till with a key of its own."""
    key, secret = ApiKey.issue("Till", scopes)
    ApiKey.objects.filter(pk=key.pk).update(source=source)
    return Till(secret)


def dump(*left_out: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of every table, but of those that are left out."""
    tables = set(connection.introspection.table_names()) - NOT_LOOKED_AT - set(left_out)
    with connection.cursor() as cursor:
        return {table: _rows(cursor, table) for table in sorted(tables)}


def _rows(cursor: Any, table: str) -> list[tuple[Any, ...]]:
    cursor.execute(f'SELECT t::text FROM "{table}" AS t ORDER BY 1')
    return cursor.fetchall()


def refused(response: Any, status: int = 409) -> tuple[str, str]:
    """What was refused and why, of an answer that has that status."""
    assert response.status_code == status, response.content
    error = response.json()["error"]
    return error["code"], error["reason"]


Answer = Callable[..., Any]
