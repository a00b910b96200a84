"""Which message an order is credited to: the one that the customer clicked last in time, else the one opened last."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDate

from loyaltyflow.sql import insert_select
from loyaltyflow.store.events import EventQuerySet
from loyaltyflow.store.models import FeedReader, Order, StoreSettings
from messaging.models import Engagement

from .models import Conversion, StaleDay
from .subjects import subject

ORDER_EVENTS = ("order_completed", "order_refunded", "order_cancelled", "order_updated")
TOUCH_EVENTS = ("message_opened", "message_clicked")
TOUCH = "customer__messages__engagements__"
CREDIT = {
    "order": "pk",
    "message": "customer__messages__pk",
    "campaign": "customer__messages__campaign_id",
    "touch": f"{TOUCH}kind",
    "touched_at": f"{TOUCH}at",
    "ordered_at": "completed_at",
}


def credit(now: datetime) -> dict[str, int]:
    """How many orders were credited for what was learned since the last call: orders, and late opens and clicks."""
    store = StoreSettings.load()
    with FeedReader.read("attribution", now) as events:
        return {"credited": judge(_concerned(events, store), store, now)}


def recredit(now: datetime) -> dict[str, int]:
    """How many orders are credited after judging all of them again, as when staff changed how long a touch counts."""
    with transaction.atomic():
        return {"credited": judge(Order.objects.all(), StoreSettings.load(), now)}


def judge(orders: QuerySet[Order], store: StoreSettings, now: datetime) -> int:
    """How many of the orders are credited; those that no message led to lose their credit.

    Their days turn stale, and so do those on which they were said to be completed before.
    """
    earlier = Conversion.objects.filter(order__in=orders).annotate(day=TruncDate("ordered_at", tzinfo=now.tzinfo))
    insert_select(StaleDay, earlier.values("day").distinct(), {"day": "day"}, ignore_conflicts=True)
    credited = insert_select(
        Conversion, _last_touches(orders, store, now), CREDIT, update_on=["order"], update=[*CREDIT][1:]
    )
    led_to = _touched(Order.objects.filter(pk=OuterRef("pk")), store, now)
    Conversion.objects.filter(~Exists(led_to), order__in=orders).delete()
    completed = orders.filter(completed_at__lte=now).annotate(day=TruncDate("completed_at", tzinfo=now.tzinfo))
    insert_select(StaleDay, completed.values("day").distinct(), {"day": "day"}, ignore_conflicts=True)
    return credited


def _last_touches(orders: QuerySet[Order], store: StoreSettings, now: datetime) -> QuerySet[Order]:
    """Each order once, joined to its last click, or its last open if there was no click in time."""
    clicks_first = f"{TOUCH}kind"  # "click" comes before "open"
    latest_first = (f"-{TOUCH}at", f"-{TOUCH}pk")
    return _touched(orders, store, now).order_by("pk", clicks_first, *latest_first).distinct("pk")


def _touched(orders: QuerySet[Order], store: StoreSettings, now: datetime) -> QuerySet[Order]:
    """The orders that stand at `now`, joined to the human clicks and opens shortly before them."""

    def within(kind: str, days: int) -> Q:
        return Q((f"{TOUCH}kind", kind), (f"{TOUCH}at__gte", F("completed_at") - timedelta(days=days)))

    in_time = within(Engagement.Kind.CLICK, store.click_window_days)
    if store.open_window_days:
        in_time |= within(Engagement.Kind.OPEN, store.open_window_days)
    before: dict[str, Any] = {f"{TOUCH}at__lte": F("completed_at"), f"{TOUCH}is_machine": False}
    stands = Q(cancelled_at__isnull=True) | Q(cancelled_at__gt=now)
    return orders.filter(in_time, stands, completed_at__lte=now, **before)


def _concerned(events: EventQuerySet, store: StoreSettings) -> QuerySet[Order]:
    """The orders that the events name, and those so soon after an open or click that it may have led to them."""
    named = events.named(*ORDER_EVENTS).values(order=subject())
    longest = timedelta(days=max(store.click_window_days, store.open_window_days))
    reached = events.named(*TOUCH_EVENTS).filter(
        customer__orders__completed_at__gte=F("occurred_at"),
        customer__orders__completed_at__lte=F("occurred_at") + longest,
    )
    return Order.objects.filter(pk__in=named.union(reached.values(order=F("customer__orders__pk"))))
