"""There may be any number of earning rules: those about other goods cost a purchase next to nothing."""

from datetime import timedelta
from decimal import Decimal
from time import perf_counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Order, Product
from rewards import earning
from rewards.models import Entry
from rewards.rules.points_per_spend import PointsPerSpend
from tests import factories

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
SECONDS = 0.2
TRIES = 10


def rules(now, numbers):
    for number in numbers:
        made = PointsPerSpend.objects.create(name=f"Rule {number}", starts_at=now - DAY)
        made.products.add(Product.objects.create(sku=f"SKU-{number}", name=f"Product {number}"))


def bought(who, now):
    """An order of one of the products, and how long and by how many statements it earned."""
    order = factories.order(who, now, "30.00")
    order.lines.create(number=1, product=Product.objects.get(sku="SKU-1"), quantity=1, net=Decimal(30))
    with CaptureQueriesContext(connection) as captured:
        begun = perf_counter()
        assert earning.earn(Order.objects.filter(pk=order.pk), now) == 1
        seconds = perf_counter() - begun
    assert Entry.objects.get(order=order).points == 30
    return seconds, len(captured)


def test_a_purchase_is_worked_out_fast_by_the_same_statements_with_500_rules(now):
    who = factories.customer(loyalty_joined_at=now - DAY)
    rules(now, range(5))
    bought(who, now)  # the settings are there from now on
    _seconds, few = bought(who, now)
    rules(now, range(5, 500))
    assert PointsPerSpend.objects.count() == 500
    found = [bought(who, now) for _ in range(TRIES)]
    assert {statements for _seconds, statements in found} == {few}
    assert min(seconds for seconds, _statements in found) < SECONDS
