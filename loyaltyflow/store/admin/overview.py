"""What a customer's page shows above the form: how much of everything, and what happened last."""

from typing import Any

from django.apps import apps
from django.db.models import Sum
from django.urls import reverse

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Channel, Consent, Customer, Order

from ..templatetags import figures as written
from .told import tell

LATEST = 12
OFFERED = 12  # segments to put the customer into; there may be hundreds, each with a page for that


def overview(customer: Customer, user: Any) -> dict[str, Any]:
    """The context of the page's upper part as the user may see it; every figure leads to the rows behind it."""
    latest = customer.events.order_by("-occurred_at", "-pk")[:LATEST]
    return {
        "counters": [_balance(customer), _purchases(customer), *_counted(customer), _consent(customer)],
        "told": tell(latest),
        "all_events": _rows("store.event", customer),
        "may_fill": user.has_perm("segments.change_segment"),
        **(_segments(customer) if user.has_perm("segments.view_segment") else {}),
    }


def _segments(customer: Customer) -> dict[str, Any]:
    """The segments that the customer is in and since when, and those that they can be put into by hand."""
    stays = apps.get_model("segments.membership").objects.open().filter(customer=customer).select_related("segment")
    shown = stays.filter(segment__archived_at=None).order_by("-joined_at", "-pk")
    others = apps.get_model("segments.segment").objects.by_hand().exclude(memberships__in=stays)
    return {"stays": shown, "other_segments": others.order_by("name")[:OFFERED], "shows_segments": True}


def _balance(customer: Customer) -> dict[str, Any]:
    account = apps.get_model("rewards.account").objects.filter(customer=customer).first()
    balance = account.balance if account else 0
    link = _rows("rewards.entry", customer)
    return {
        "label": "Balance",
        "text": written.points(balance),
        "note": f"worth {written.money(balance * store().point_value)}",
        "link": link,
    }


def _purchases(customer: Customer) -> dict[str, Any]:
    orders = Order.objects.filter(customer=customer)
    spent = orders.filter(cancelled_at=None).aggregate(sum=Sum("net") - Sum("refunded"))["sum"] or 0
    note = f"{written.money(spent)} net of refunds"
    return {
        "label": "Orders",
        "text": written.count(orders.count()),
        "note": note,
        "link": _rows("store.order", customer),
    }


def _counted(customer: Customer) -> list[dict[str, Any]]:
    counted = [
        ("Messages", "messaging.message", {}),
        ("Workflows entered", "workflows.enrolment", {}),
        ("Segments now", "segments.membership", {"left_at__isempty": "1"}),
    ]
    return [
        {
            "label": label,
            "text": written.count(_of(model, customer, now_only=bool(query))),
            "link": _rows(model, customer, **query),
        }
        for label, model, query in counted
    ]


def _of(model: str, customer: Customer, now_only: bool) -> int:
    rows = apps.get_model(model).objects.filter(customer=customer)
    return int((rows.filter(left_at=None) if now_only else rows).count())


def _consent(customer: Customer) -> dict[str, Any]:
    last = Consent.objects.filter(customer=customer, channel=Channel.EMAIL).order_by("-given_at", "-pk").first()
    status = last.get_status_display() if last else Consent.Status.UNKNOWN.label
    return {
        "label": "E-mail consent",
        "text": status,
        "note": f"since {written.day(last.given_at)}" if last else "",
        "link": f"{_rows('store.consent', customer)}",
    }


def _rows(model: str, customer: Customer, **query: str) -> str:
    asked = "".join(f"&{name}={value}" for name, value in query.items())
    return f"{reverse('admin:{}_{}_changelist'.format(*model.split('.')))}?customer__id__exact={customer.pk}{asked}"
