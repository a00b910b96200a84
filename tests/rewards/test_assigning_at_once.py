"""Many processes that give vouchers at the same moment."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from loyaltyflow.store.models import Event
from rewards.vouchers import Voucher
from tests import factories

from .vouching import discount, pool

pytestmark = pytest.mark.django_db(transaction=True)
GIVERS, CODES, ROUNDS = 20, 10, 5


@pytest.fixture
def givers():
    command = [sys.executable, "-m", "tests.rewards.assigner", connection.settings_dict["NAME"]]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2], **pipes) as process:
        yield process
        process.stdin.close()
        assert process.wait(30) == 0


def at_once(givers, of, people):
    """Customer → how many vouchers the process that gave to this customer gave; none of the processes failed."""
    givers.stdin.write(json.dumps({"discount": of.pk, "customers": [who.pk for who in people]}) + "\n")
    given: dict[int, int] = {}
    for line in givers.stdout:
        who, number = line.split()
        if who == "over":
            assert number == "0"
            return given
        given[int(who)] = int(number)
    raise AssertionError("The processes ended before they were done.")


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
