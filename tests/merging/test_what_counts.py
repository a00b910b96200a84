"""What two customers earned, and were given once, counts for the one whom they turned out to be."""

from datetime import timedelta
from decimal import Decimal

import pytest

from loyaltyflow import merging
from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Customer, Order, Refund
from rewards import earning, standings
from rewards.models import Entry, Programme, Standing, Tier
from rewards.progress import progress
from rewards.rules.points_per_spend import PointsPerSpend
from tests import factories

DAY = timedelta(days=1)
seen_after_commit = pytest.mark.django_db(transaction=True)


def member(now):
    return factories.customer(loyalty_joined_at=now - 900 * DAY)


def counted(who, now):
    return progress([who.pk], now)[who.pk].counted


def tick(now):
    return earning.settle(now), standings.settle(now)


def give_back(order, amount, now):
    Refund.objects.create(order=order, amount=Decimal(amount), at=now)
    order.refresh_from_db()
    order.refunded = Decimal(amount)
    order.save(update_fields=["refunded"])
    happened("order_refunded", order.customer_id, now, f"order_refunded:{order.pk}", order=order.pk)


@seen_after_commit
@pytest.mark.parametrize("basis", ["points", "spend"])
@pytest.mark.parametrize("_case", ["merged once", "merged twice"])
def test_what_both_earned_brings_the_tier_and_a_return_takes_off_what_it_brought(now, basis, _case):
    Programme.objects.update_or_create(pk=1, defaults={"tier_basis": basis})
    PointsPerSpend.objects.create(name="Earn", starts_at=now - 100 * DAY)
    for name, least in (("Bronze", 0), ("Silver", 250), ("Gold", 500)):
        Tier.objects.create(name=name, threshold=least)
    merged, kept = member(now), member(now)
    order = factories.order(merged, now - 5 * DAY, "300.00")
    factories.order(kept, now - 4 * DAY, "300.00")
    tick(now)
    merging.merge(kept, merged, now)
    if _case == "merged twice":
        last = member(now)
        merging.merge(last, kept, now)
        kept = last

    assert counted(kept, now) == 600
    assert tick(now)[1]["reached"] == 1
    assert Standing.objects.open().get(customer=kept).tier.name == "Gold"

    give_back(order, "100.00", now + DAY)
    tick(now + DAY)
    assert counted(kept, now + DAY) == 500
    give_back_all = Order.objects.get(pk=order.pk)
    Refund.objects.filter(order=order).delete()
    give_back(give_back_all, "300.00", now + DAY)
    happened("order_updated", kept.pk, now + DAY, f"order_updated:{order.pk}:again", order=order.pk)
    tick(now + DAY)
    assert counted(kept, now + DAY) == 300


@seen_after_commit
def test_the_welcome_and_the_points_for_a_tier_are_given_once_to_each_person(now):
    Programme.objects.update_or_create(pk=1, defaults={"welcome_points": 50})
    PointsPerSpend.objects.create(name="Earn", starts_at=now - 100 * DAY)
    Tier.objects.create(name="Silver", threshold=100, bonus_points=20)
    merged, kept = member(now), factories.customer()
    happened("loyalty_joined", merged.pk, now, f"loyalty_joined:{merged.pk}")
    factories.order(merged, now - DAY, "100.00")
    tick(now)
    merging.merge(kept, merged, now)
    tick(now)
    for day in (1, 2):  # they leave and join again, so that the tier is reached again, too
        at = now + day * DAY
        Customer.objects.filter(pk=kept.pk).update(loyalty_left_at=at)
        happened("loyalty_left", kept.pk, at, f"loyalty_left:{day}")
        tick(at)
        Customer.objects.filter(pk=kept.pk).update(loyalty_left_at=None)
        happened("loyalty_joined", kept.pk, at, f"loyalty_joined:{day}")
        tick(at)

    once = Entry.objects.filter(kind__in=["welcome", "tier_bonus"]).values_list("kind", "points")
    assert sorted(once) == [("tier_bonus", 20), ("welcome", 50)]
    assert Standing.objects.filter(reason="reached").count() == 3
