"""What the proof of the ledger finds, and when it is made."""

from datetime import timedelta

import pytest
from django.db import connection

from rewards import ledger
from rewards.models import Account, Draw, Entry, Lot, Proof
from tests import factories

from .points import give

DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


def run(sql):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql)


@pytest.fixture
def spent(now):
    """Two customers with 100 points each, of which the first spent 30."""
    who, other = factories.customer(first_name="Maria", last_name="Silva"), factories.customer()
    give(who, 100, "gift:1", now)
    give(other, 100, "gift:2", now)
    return ledger.redeem(who.pk, 30, key="till:1", explanation="Money off", now=now)


@pytest.mark.parametrize(
    ("_case", "change", "problem"),
    [
        (
            "more owed than the entries say",
            "UPDATE rewards_account SET owed = 5, balance = balance - 5 WHERE balance = 70",
            "Maria Silva: 5 points are owed, and the entries say 0.",
        ),
        (
            "a lot of which too much is left",
            "UPDATE rewards_lot SET remaining = 71 WHERE remaining = 70",
            "71 points left of 100, but 30 were drawn from it.",
        ),
        (
            "an entry without its draws",
            "ALTER TABLE rewards_draw DISABLE TRIGGER USER; DELETE FROM rewards_draw",
            "moves -30 points, its lot and draws 0.",
        ),
        (
            "a ledger that could be changed",
            "ALTER TABLE rewards_entry DISABLE TRIGGER USER",
            "The table rewards_entry can be changed",
        ),
        (
            "points that were spent before their time",
            "UPDATE rewards_lot SET available_at = available_at + interval '1 day' WHERE remaining = 70",
            "spent points that could not be spent then",
        ),
        (
            "an account that is gone",
            "DELETE FROM rewards_account WHERE balance = 70",
            "has points entries but no account.",
        ),
    ],
)
def test_what_does_not_add_up_is_named(spent, _case, change, problem):
    assert ledger.verify() == []
    run(change)
    assert any(problem in found for found in ledger.verify()), ledger.verify()


def test_the_ledger_is_proved_once_a_night_after_two(now):
    give(factories.customer(), 100, "gift", now)
    midnight = (now + DAY).replace(hour=0, minute=0)
    hours = [ledger.prove_nightly(midnight + timedelta(hours=hour))["proved"] for hour in (0, 1, 2, 3, 23, 24, 26)]
    assert hours == [0, 0, 1, 0, 0, 0, 1]
    proof = Proof.objects.latest()
    assert (proof.at, proof.entries, proof.accounts, proof.problems) == (midnight + timedelta(hours=26), 1, 1, [])


def test_a_proof_keeps_what_it_found(spent, now):
    Account.objects.filter(balance=70).update(balance=71)
    assert len(ledger.prove(now).problems) == 1
    assert "the balance is 71, the entries add up to 70 and 70 are left in lots." in Proof.objects.get().problems[0]
    assert (Entry.objects.count(), Lot.objects.count(), Draw.objects.count()) == (3, 2, 1)
