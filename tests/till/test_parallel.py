"""Twenty tills at once: one of them gets the last of anything, and the others are told so.

A few rounds at every run; `pytest --hypothesis-profile=thorough tests/till/test_parallel.py` plays a hundred.
"""

import pytest
from hypothesis import settings

from loyaltyflow.models import ApiKey
from rewards import ledger
from rewards.models import Account, Entry, Redemption
from tests.side_by_side import processes
from tests.till import shop

pytestmark = pytest.mark.django_db(transaction=True)
TILLS = 20


def rounds() -> int:
    """How many rounds are played."""
    return 100 if settings().max_examples >= 100 else 3


@pytest.fixture
def at_once(db):
    """A function that returns what each till was answered to its purchase, sent at the same moment as all others."""
    secret = ApiKey.issue("Till", ["till"])[1]

    def asked(bodies, keys, path):
        named = [keys[0] if len(keys) == 1 else f"{keys}-{number}" for number in range(len(bodies))]
        return [(path, body, key, secret) for body, key in zip(bodies, named, strict=True)]

    with processes("tests.till.seller") as tills:
        yield lambda bodies, *keys, path="/api/v1/till/orders": tills(asked(bodies, keys, path))


def test_one_of_twenty_tills_redeems_a_code_for_one_use(at_once):
    people = [shop.member() for _ in range(TILLS)]
    for round_ in range(rounds()):
        shop.code(f"ONCE{round_:03}")
        sales = [
            {
                "external_id": f"R-{round_}-{who.pk}",
                "customer": who.pk,
                "bill": shop.bill(),
                "codes": [f"ONCE{round_:03}"],
            }
            for who in people
        ]
        told = at_once(sales, "round", round_)
        assert sorted(status for status, _ in told) == [200] + [409] * (TILLS - 1), told
        losers = [body["error"] for status, body in told if status == 409]
        assert {error["reason"] for error in losers} == {"already_redeemed"}
        assert all(error["current"]["redeemed_at"] for error in losers)
    assert Redemption.objects.count() == rounds()


def test_twenty_tills_spend_from_one_balance_never_below_zero(at_once):
    who = shop.member(100)
    spent = 0
    for round_ in range(rounds()):
        sales = [
            {"external_id": f"R-{round_}-{number}", "customer": who.pk, "bill": shop.bill(), "points_to_use": 30}
            for number in range(TILLS)
        ]
        told = at_once(sales, "round", round_)
        done = [body for status, body in told if status == 200]
        refused = [body["error"] for status, body in told if status != 200]
        assert {error["reason"] for error in refused} == {"insufficient_points"}
        assert len(done) == (3 if not round_ else 0)
        assert sorted(body["balance_after"]["active"] for body in done) == ([10, 40, 70] if not round_ else [])
        spent += 30 * len(done)
    assert Account.objects.get().balance == 100 - spent == 10
    assert sum(Entry.objects.values_list("points", flat=True)) == 10
    assert ledger.verify() == []


def test_the_same_request_twice_at_once_has_one_effect(at_once):
    who = shop.member(100)
    sale = {"external_id": "R-1", "customer": who.pk, "bill": shop.bill(), "points_to_use": 30}
    told = at_once([sale] * TILLS, "the same")
    done = [body for status, body in told if status == 200]
    busy = [body["error"]["reason"] for status, body in told if status == 409]
    assert len(done) + len(busy) == TILLS
    assert set(busy) <= {"in_progress"}
    assert all(body == done[0] for body in done)
    assert Account.objects.get().balance == 70
