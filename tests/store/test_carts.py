"""Carts that were left behind."""

from datetime import timedelta

import pytest

from loyaltyflow.store import carts
from loyaltyflow.store.models import Cart, Event, StoreSettings
from tests import factories

HOUR = timedelta(hours=1)


@pytest.fixture
def cart(db, now):
    """A cart with something in it, last touched at `now`; idle carts count after 4 hours."""
    return Cart.objects.create(
        source="web", external_id="c-1", customer=factories.customer(), items=2, value="12.50", updated_at=now
    )


def told():
    return list(Event.objects.filter(name="cart_abandoned").values_list("occurred_at", flat=True))


def test_a_cart_is_left_behind_after_four_hours_and_once(cart, now):
    assert carts.abandon(now + 4 * HOUR - timedelta(minutes=1)) == {"left behind": 0}
    assert carts.abandon(now + 4 * HOUR) == {"left behind": 1}
    assert told() == [now + 4 * HOUR]
    assert carts.abandon(now + 5 * HOUR) == {"left behind": 0}
    event = Event.objects.get(name="cart_abandoned")
    assert (event.key, event.customer) == (f"cart_abandoned:{cart.pk}", cart.customer)
    assert event.properties == {"cart": cart.pk, "items": 2, "value": "12.50"}


def test_an_edit_starts_the_time_again(cart, now):
    Cart.objects.update(items=3, updated_at=now + 3 * HOUR)
    assert carts.abandon(now + 7 * HOUR - timedelta(minutes=1)) == {"left behind": 0}
    assert carts.abandon(now + 7 * HOUR) == {"left behind": 1}


def test_a_purchase_in_between_means_never(cart, now):
    factories.order(cart.customer, now + 3 * HOUR)
    assert carts.abandon(now + 30 * HOUR) == {"left behind": 0}


@pytest.mark.parametrize("change", [{"items": 0}, {"customer": None}, {"checked_out": True}])
def test_empty_unknown_and_checked_out_carts_are_not_left_behind(cart, now, change):
    Cart.objects.update(**({"checked_out_at": now} if "checked_out" in change else change))
    assert carts.abandon(now + 30 * HOUR) == {"left behind": 0}
    assert told() == []


def test_an_edit_after_the_event_does_not_make_a_second_one(cart, now):
    carts.abandon(now + 4 * HOUR)
    Cart.objects.update(items=3, updated_at=now + 5 * HOUR)
    assert carts.abandon(now + 9 * HOUR) == {"left behind": 0}


def test_the_number_of_statements_does_not_depend_on_the_carts(cart, now, django_assert_num_queries):
    StoreSettings.load()
    with django_assert_num_queries(6):
        carts.abandon(now + 4 * HOUR)
    customer = factories.customer()
    Cart.objects.bulk_create(
        Cart(source="web", external_id=f"n{n}", customer=customer, items=1, updated_at=now) for n in range(500)
    )
    with django_assert_num_queries(6):
        assert carts.abandon(now + 4 * HOUR) == {"left behind": 500}
