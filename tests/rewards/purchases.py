"""Purchases that earn points, and what is paid back of them."""

from datetime import timedelta
from decimal import Decimal

from django.db.models import Sum

from loyaltyflow.store.models import Order, Refund, StoreSettings
from rewards import earning
from rewards.models import Entry
from rewards.rules.points_per_spend import PointsPerSpend
from tests import factories

DAY = timedelta(days=1)


def rule(now, **fields):
    return PointsPerSpend.objects.create(**{"name": "Earn", "starts_at": now - 100 * DAY, **fields})


def member(now, **fields):
    return factories.customer(loyalty_joined_at=now - 50 * DAY, **fields)


def earned(now):
    return earning.settle(now)["earned"]


def window(days):
    StoreSettings.objects.update_or_create(pk=1, defaults={"return_window_days": days})


def only(order):
    return Order.objects.filter(pk=order.pk)


def refund(order, amount, at, line=None):
    """What was paid back, as the intake and the till write it."""
    Refund.objects.create(order=order, amount=Decimal(amount), at=at, line=line)
    order.refunded = Refund.objects.filter(order=order).aggregate(sum=Sum("amount"))["sum"]
    order.refunded_at = at if order.refunded == order.net else None
    order.save(update_fields=["refunded", "refunded_at"])


def taken(order):
    """How many points went back, all in all."""
    reversals = Entry.objects.filter(order=order, kind=Entry.Kind.REFUND_REVERSAL)
    return -reversals.aggregate(sum=Sum("points", default=0))["sum"]
