"""Points for purchases, once their return windows are over."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, TextField, Value
from django.db.models.functions import Cast, Concat, Floor, Substr

from loyaltyflow.store.events import EventQuerySet, FeedReader
from loyaltyflow.store.models import Customer, Order, StoreSettings

from ..amounts import earned
from ..points import EarningRule, Entry
from .credits import award


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
