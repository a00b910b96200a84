"""Work that is begun anew when other writers were faster or in the way, and only then."""

import pytest
from django.db import IntegrityError, OperationalError
from psycopg import errors

from loyaltyflow import again as module
from loyaltyflow.again import TRIES, StillInTheWay, again
from loyaltyflow.store.models import Order, Product
from tests import factories
from tests.till import shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(module, "sleep", lambda seconds: None)


def raising(*causes):
    """Work that raises each of the errors as Django does, then is done; and how often it was begun."""
    begun = []

    def act():
        begun.append(1)
        if len(begun) <= len(causes):
            kind = IntegrityError if issubclass(causes[len(begun) - 1], errors.IntegrityError) else OperationalError
            raise kind from causes[len(begun) - 1]()
        return "done"

    return act, begun


@pytest.mark.parametrize("cause", [errors.DeadlockDetected, errors.SerializationFailure])
def test_who_was_in_the_way_is_waited_for(cause):
    act, begun = raising(*[cause] * (TRIES - 1))
    assert again(act) == "done"
    assert len(begun) == TRIES

    act, begun = raising(*[cause] * TRIES)
    with pytest.raises(StillInTheWay):
        again(act)
    assert len(begun) == TRIES


@pytest.mark.parametrize(
    "cause", [errors.CheckViolation, errors.ForeignKeyViolation, errors.NotNullViolation, errors.QueryCanceled]
)
def test_what_nobody_else_explains_is_raised_at_once(cause):
    act, begun = raising(cause)
    with pytest.raises((IntegrityError, OperationalError)) as raised:
        again(act)
    assert isinstance(raised.value.__cause__, cause)
    assert len(begun) == 1


def test_a_lost_connection_is_not_called_busy():
    def act():
        raise OperationalError("the connection is closed")

    with pytest.raises(OperationalError, match="closed"):
        again(act)


def test_a_row_that_another_made_first_is_found_at_the_next_try():
    begun = []

    def act():
        begun.append(1)
        if len(begun) > 1:
            return Product.objects.get(sku="TEA")
        return Product.objects.create(sku="TEA", name="Tea")

    factories.product(sku="TEA")
    assert again(act).sku == "TEA"
    assert len(begun) == 2


def test_a_row_that_is_made_twice_whatever_others_do_is_our_own_mistake():
    begun = []

    def act():
        begun.append(1)
        Product.objects.create(sku="TEA", name="Tea")

    factories.product(sku="TEA")
    with pytest.raises(IntegrityError):
        again(act)
    assert len(begun) == 2


def test_a_fault_of_ours_is_not_told_to_a_till_as_somebody_elses(monkeypatch):
    who, till = shop.member(), shop.till()

    def spoil(*asked, **more):
        Order.objects.create(customer=who, source="pos", external_id="R-1", placed_at=None, net=1)

    monkeypatch.setattr("rewards.till.commit", spoil)
    with pytest.raises(IntegrityError):
        till("till/orders", {"external_id": "R-1", "customer": who.pk, "bill": shop.bill()})
    assert not Order.objects.exists()
