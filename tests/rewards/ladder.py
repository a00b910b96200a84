"""Bronze, Silver and Gold, and the shortest ways to climb them."""

from datetime import timedelta

from django.db.models import Value

from loyaltyflow.store.models import Customer
from rewards import ledger
from rewards.models import Entry, Programme, Tier
from tests import factories

DAY = timedelta(days=1)


def tiers(**of_gold):
    """Bronze for everybody, Silver from 250, Gold from 500."""
    for name, threshold in (("Bronze", 0), ("Silver", 250)):
        Tier.objects.create(name=name, threshold=threshold)
    return Tier.objects.create(**{"name": "Gold", "threshold": 500, **of_gold})


def programme(**fields):
    Programme.objects.update_or_create(pk=1, defaults=fields)


def member(now):
    return factories.customer(loyalty_joined_at=now - 900 * DAY)


def earn(who, points, at, order=None, kind=Entry.Kind.EARN):
    """So many points, earned then by the order."""
    ledger.award(
        Customer.objects.filter(pk=who.pk),
        kind=kind,
        points=Value(points),
        key=Value(f"test:{Entry.objects.count()}"),
        customer="pk",
        explanation=Value("Earned"),
        now=at,
        order=Value(order.pk if order else None),
    )
    return Entry.objects.order_by("-pk")[0]
