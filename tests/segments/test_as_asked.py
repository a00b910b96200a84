"""Segments as shops ask for them, in a sentence each, at the edge of each figure."""

from datetime import timedelta

import pytest

from segments.exchange.trees import grown
from tests import factories

from .tree import met_by

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
TWO_AND_LOCAL = [{"made_purchase": {"count": 2}}, {"customer_field": {"field": "state", "value": "MA"}}]


@pytest.mark.parametrize(
    ("_case", "joined", "days", "is_in"),
    [
        ("bought today", True, 0, True),
        ("bought 2 days ago", True, 2, True),
        ("bought exactly 3 days ago", True, 3, True),
        ("bought 4 days ago", True, 4, False),
        ("never opted in", False, 3, False),
    ],
)
@pytest.mark.parametrize("hour", [0, 14])
def test_opted_into_the_loyalty_programme_and_bought_in_the_past_3_days(_case, joined, days, is_in, hour, now):
    who = factories.customer(first_name="Anna", loyalty_joined_at=now - 90 * DAY if joined else None)
    factories.order(who, now.replace(hour=hour, minute=0) - days * DAY)
    asked = grown({"all_of": [{"joined_loyalty": {}}, {"made_purchase": {"window_days": 3}}]})

    assert met_by(asked, now) == ({"Anna"} if is_in else set())


@pytest.mark.parametrize(("orders", "state", "is_in"), [(1, "MA", 0), (2, "MA", 1), (3, "MA", 1), (3, "NH", 0)])
def test_made_at_least_2_purchases_and_lives_in_the_state(orders, state, is_in, now):
    who = factories.customer(first_name="Anna", state=state)
    for number in range(orders):
        factories.order(who, now - number * DAY)

    assert len(met_by(grown({"all_of": TWO_AND_LOCAL}), now)) == is_in


@pytest.mark.parametrize(
    ("_case", "days", "is_in"),
    [
        ("twice", (90, 1), True),
        ("once within 90 days", (91, 1), False),
        ("once", (1,), False),
        ("never", (), False),
    ],
)
def test_bought_a_product_at_least_2_times_in_90_days(_case, days, is_in, now):
    tea, mug = factories.product(sku="TEA-100"), factories.product()
    who = factories.customer(first_name="Anna")
    factories.order(who, now, "20.00", mug)
    for each in days:
        factories.order(who, now - each * DAY, "20.00", tea)
    asked = grown({"made_purchase": {"product": "TEA-100", "count": 2, "window_days": 90}})

    assert met_by(asked, now) == ({"Anna"} if is_in else set())
