"""Twenty tills at once: one of them gets the last of anything, and the others are told so.

A few rounds at every run; `pytest --hypothesis-profile=thorough tests/till/test_parallel.py` plays a hundred.
"""

import json
import subprocess
import sys

import pytest
from django.conf import settings as django_settings
from hypothesis import settings

from loyaltyflow.models import ApiKey
from rewards import ledger
from rewards.models import Account, Entry, Redemption
from tests.till import shop

pytestmark = pytest.mark.django_db(transaction=True)
TILLS = 20
# One process that sells at its own till: round after round it waits for the others, sends, and says what it was told.
SELL = """
import json, os, sys
import django
django.setup()
from django.conf import settings
from django.test import Client
settings.ALLOWED_HOSTS.append("testserver")
settings.DATABASES["default"]["NAME"] = sys.argv[1]
for line in sys.stdin:
    path, body, key, secret = json.loads(line)
    headers = {"Authorization": "Bearer " + secret, "Idempotency-Key": key}
    answer = Client().post(path, body, content_type="application/json", headers=headers)
    print(json.dumps([answer.status_code, answer.json()]), flush=True)
"""


def rounds() -> int:
    """How many rounds are played."""
    return 100 if settings().max_examples >= 100 else 3


@pytest.fixture(scope="module")
def tills(django_db_setup):
    """Twenty processes that sell."""
    order = [sys.executable, "-c", SELL, django_settings.DATABASES["default"]["NAME"]]
    started = [
        subprocess.Popen(order, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        for _ in range(TILLS)
    ]
    yield started
    for each in started:
        each.stdin.close()
        each.stdout.close()
        each.wait(30)


@pytest.fixture
def at_once(tills, db):
    """A function that returns what each till was answered to its purchase, sent at the same moment as all others."""
    secret = ApiKey.issue("Till", ["till"])[1]

    def send(bodies, *keys, path="/api/v1/till/orders"):
        for number, (till, body) in enumerate(zip(tills, bodies, strict=True)):
            key = keys[0] if len(keys) == 1 else f"{keys}-{number}"
            till.stdin.write(json.dumps([path, body, key, secret]) + "\n")
        return [json.loads(till.stdout.readline()) for till in tills]

    return send


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
