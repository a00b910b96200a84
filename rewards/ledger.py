"""Writes the points ledger: every movement once, with its lot, the balance and its event, in one statement."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connections, models
from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, TextField, Value
from django.db.models.functions import Cast, Concat, Floor, Substr

from loyaltyflow.sql import insert_sql
from loyaltyflow.store.events import EventQuerySet, FeedReader
from loyaltyflow.store.models import Customer, Order, StoreSettings

from .amounts import earned
from .models import Account, EarningRule, Entry

# Everything that a credit brings, from the entries that were new: their lots, the balances, the events. Accounts are
# taken in the customers' order, so that two statements never wait for each other in a circle.
AWARD = """
WITH given AS ({entries} RETURNING id, customer_id, points, occurred_at),
lots AS (
    INSERT INTO rewards_lot (entry_id, customer_id, points, remaining, earned_at, available_at)
    SELECT id, customer_id, points, points, occurred_at, occurred_at FROM given
),
balances AS (
    INSERT INTO rewards_account (customer_id, balance, updated_at)
    SELECT customer_id, sum(points), %s FROM given GROUP BY customer_id ORDER BY customer_id
    ON CONFLICT (customer_id)
    DO UPDATE SET balance = rewards_account.balance + excluded.balance, updated_at = excluded.updated_at
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, key, properties)
    SELECT %s, customer_id, occurred_at, %s || id, jsonb_build_object('points', points) FROM given
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM given
"""


def award(
    rows: models.QuerySet[Any, Any],
    *,
    kind: Entry.Kind,
    points: Any,
    key: Any,
    customer: Any,
    explanation: Any,
    now: datetime,
    **more: Any,
) -> int:
    """How many credits were new: one entry for each of `rows`, whose key counts once, with its lot, balance and event.

    What is given (`more`: any other field of Entry) is as in `insert_select`: the name of a field of `rows`, an
    expression over them, or `Value("text")`. Points must be positive. One statement, all or nothing.
    """
    columns = {"kind": Value(kind), "points": points, "key": key, "customer": customer, "explanation": explanation}
    columns |= {"occurred_at": now, "rule": {}, **more}
    entries, parameters = insert_sql(Entry, rows, columns, ignore_conflicts=True)
    if not entries:
        return 0
    with connections[rows.db].cursor() as cursor:
        cursor.execute(AWARD.format(entries=entries), [*parameters, now, kind.event, f"{kind.event}:"])
        return int(cursor.fetchone()[0])


def settle(now: datetime) -> dict[str, int]:
    """How many times purchases earned points: those completed by members, by each earning rule in force then, once.

    A purchase earns when its return window is over, for what has not been refunded by then.
    """
    store = StoreSettings.load()
    with FeedReader.read("ledger", now - timedelta(days=store.return_window_days)) as events:
        orders = _completed(events, now)
        return {"earned": sum(_earn(rule, orders, store, now) for rule in EarningRule.objects.filter(is_active=True))}


def _completed(events: EventQuerySet, now: datetime) -> models.QuerySet[Order]:
    """The purchases that the events tell of, of customers who were members when they completed them."""
    prefix = "order_completed:"
    told = events.named("order_completed").filter(key__regex=rf"^{prefix}[0-9]{{1,18}}$")
    number = Cast(Substr("key", len(prefix) + 1), BigIntegerField())
    member = Customer.objects.filter(
        Q(loyalty_left_at__isnull=True) | Q(loyalty_left_at__gt=OuterRef("completed_at")),
        pk=OuterRef("customer_id"),
        loyalty_joined_at__lte=OuterRef("completed_at"),
    )
    return Order.objects.purchases(now).filter(Exists(member), pk__in=told.values_list(number))


def _earn(rule: EarningRule, orders: models.QuerySet[Order], store: StoreSettings, now: datetime) -> int:
    """How many of the orders earned points by the rule."""
    points = Cast(Floor(F("kept") * Value(rule.points_per_unit)), BigIntegerField())
    kept = orders.filter(rule.in_force("completed_at")).annotate(kept=F("net") - F("refunded"))
    return award(
        kept.annotate(worth=points).filter(worth__gte=1),
        kind=Entry.Kind.EARN,
        points="worth",
        key=Concat(Value(f"earn:{rule.pk}:"), Cast("pk", TextField()), output_field=TextField()),
        customer="customer_id",
        explanation=earned(rule.points_per_unit, store, "kept", "worth"),
        now=now,
        occurred_at=F("completed_at") + timedelta(days=store.return_window_days),
        order="pk",
        rule=Value(rule.snapshot(), output_field=models.JSONField()),
    )


def verify() -> list[str]:
    """What is wrong with the ledger, a sentence for each account; empty if every balance can be proved.

    An account's balance equals the sum of its entries, and what is left of its lots.
    """
    problems = [
        f"{account.customer}: the balance is {account.balance:,}, the entries add up to {account.moved:,} "
        f"and {account.left:,} are left in lots."
        for account in Account.objects.unproved().select_related("customer").iterator()
    ]
    lost = Entry.objects.filter(customer__account__isnull=True).values_list("customer_id", flat=True).distinct()
    return problems + [f"Customer {pk} has points entries but no account." for pk in lost]
