"""Many processes that give vouchers at the same moment."""

import pytest

from loyaltyflow.store.models import Event
from rewards.vouchers import Voucher
from tests import factories
from tests.side_by_side import processes

from .vouching import discount, pool

pytestmark = pytest.mark.django_db(transaction=True)
GIVERS, CODES, ROUNDS = 20, 10, 5


@pytest.fixture
def givers():
    with processes("tests.rewards.assigner") as at_once:
        yield at_once


def at_once(givers, of, people):
    """Customer → how many vouchers the process that gave to this customer gave; none of the processes failed."""
    new = givers([(of.pk, who.pk) for who in people])
    return {who.pk: number for who, number in zip(people, new, strict=True)}


def test_twenty_processes_take_ten_codes_each_once(givers):
    for each in range(ROUNDS):
        of = discount(makes_codes=False)
        held = pool(of, *(f"ROUND-{each}-{number}" for number in range(CODES)))
        people = [factories.customer() for _ in range(GIVERS)]

        given = at_once(givers, of, people)

        assert sorted(given.values()) == [0] * CODES + [1] * CODES
        owners = list(held.vouchers.values_list("customer", flat=True))
        assert sorted(owners) == sorted(who for who, number in given.items() if number)
        assert len(set(owners)) == CODES
        assert not held.vouchers.filter(state="free").exists()
    assert Event.objects.named("voucher_assigned").count() == ROUNDS * CODES


def test_twenty_processes_with_the_same_cause_give_one_voucher(givers):
    of = discount()
    who = factories.customer()
    given = at_once(givers, of, [who] * GIVERS)
    assert Voucher.objects.filter(customer=who).count() == 1
    assert given.keys() == {who.pk}
