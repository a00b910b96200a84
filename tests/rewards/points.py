"""The shortest ways to say what happens to customers' points."""

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat

from loyaltyflow.store.models import Customer, Order
from rewards import ledger
from rewards.ledger.proof import verify
from rewards.models import Account, Entry, Lot


def give(who: Customer, points: int, key: str, now: datetime, **more: Any) -> Entry:
    """A credit of so many points."""
    ledger.award(
        Customer.objects.filter(pk=who.pk),
        kind=more.pop("kind", Entry.Kind.BOOST),
        points=Value(points),
        key=Value(key),
        customer="pk",
        explanation=Value("A gift"),
        now=now,
        **more,
    )
    return Entry.objects.get(key=key)


def give_all(now: datetime, points: int = 100, prefix: str = "gift") -> int:
    """How many customers got so many points, each under a key of their own."""
    return ledger.award(
        Customer.objects.all(),
        kind=Entry.Kind.BOOST,
        points=Value(points),
        key=Concat(Value(f"{prefix}:"), Cast("pk", TextField()), output_field=TextField()),
        customer="pk",
        explanation=Value("A gift"),
        now=now,
    )


def returned(order: Order, points: int, key: str, now: datetime) -> int:
    """How many debits the return of an order brought."""
    return ledger.take_back(
        Order.objects.filter(pk=order.pk),
        points=Value(points),
        key=Value(key),
        customer="customer",
        explanation=Value("Returned"),
        now=now,
        order="pk",
    )


def left(who: Customer) -> list[int]:
    """What is left of each of the customer's lots, the first credit first."""
    return list(Lot.objects.filter(customer=who).order_by("pk").values_list("remaining", flat=True))


def holds(who: Customer) -> tuple[int, int]:
    """The customer's balance and what is owed of it; the ledger must add up."""
    assert verify() == []
    account = Account.objects.get(customer=who)
    return account.balance, account.owed


def skip_a_number() -> int:
    """The number of an entry that a transaction under way has taken, and that nobody else can see yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('rewards_entry', 'id'))")
        return int(cursor.fetchone()[0])
