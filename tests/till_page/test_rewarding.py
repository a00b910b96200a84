"""Rewards for points on the Till page: taken once however often it is pressed, and undone."""

import pytest
from django.utils import timezone

from rewards import ledger
from rewards.models import Account, Entry, Exchange, Voucher
from tests.staff import signed_in
from tests.till import shop

from .test_presses import Till

pytestmark = pytest.mark.django_db


@pytest.fixture
def aisha():
    return shop.member(700, first_name="Aisha", last_name="Rahman", phone="+19785550177")


@pytest.fixture
def coffee():
    return shop.off("5.00", title="Free coffee", points_price=500)


@pytest.fixture
def served(aisha, coffee):
    """The page with Aisha at the till."""
    return Till(signed_in("use_till", name="dana")).press(f"choose:{aisha.pk}")


def button(till):
    [reward] = till.page["rewards"]
    return reward.press


def test_a_reward_is_taken_shown_and_undone(served, aisha, coffee):
    till = served
    assert "Take for 500 points" in till.text
    till.press(button(till))
    voucher, made = Voucher.objects.get(), Exchange.objects.get()
    assert f"Free coffee: {voucher.code} 500 points were paid." in till.text
    assert "500 pts 300 missing" in till.text
    assert (voucher.customer, made.store_location, made.till, made.by.username) == (aisha, "Salem", "Till 2", "dana")
    till.press(f"give_back:{made.external_id}")
    assert f"Free coffee is undone 500 points were given back; {voucher.code} is not valid any more." in till.text
    assert "Take for 500 points" in till.text
    assert (Account.objects.get().balance, Voucher.objects.get().state) == (700, "revoked")
    assert ledger.verify() == []


def test_pressed_twice_it_is_one(served, aisha, coffee):
    type(coffee).objects.update(points_price=100)
    till = served
    first = button(till)
    till.press(first).press(first)
    assert (Exchange.objects.count(), Account.objects.get().balance) == (1, 600)
    till.press(button(till))
    assert (Exchange.objects.count(), Account.objects.get().balance) == (2, 500)


def test_after_it_was_undone_it_can_be_taken_again(served, aisha, coffee):
    till = served
    till.press(button(till)).press(f"give_back:{Exchange.objects.get().external_id}").press(button(till))
    assert Account.objects.get().balance == 200
    assert sorted(Voucher.objects.values_list("state", flat=True)) == ["issued", "revoked"]


def test_an_undone_code_leaves_the_bill(served, aisha, coffee):
    till = served
    till.press(button(till))
    code = Voucher.objects.get().code
    till.press(f"use:{code}")
    assert till.page["sale"].codes == (code,)
    till.press(f"give_back:{Exchange.objects.get().external_id}")
    assert till.page["sale"].codes == ()


@pytest.mark.parametrize(
    "press", ["take:", "take:x:1", "take:999999:1", "take:9999999999999999999999:1", "give_back:x"]
)
def test_what_is_not_there_changes_nothing(served, aisha, coffee, press):
    served.press(press)
    assert (Entry.objects.count(), Exchange.objects.count()) == (1, 0)


def test_points_that_are_gone_meanwhile_are_said_to_be(served, aisha, coffee):
    till = served
    ledger.redeem(aisha.pk, 650, key="elsewhere", explanation="Spent", now=timezone.now())
    till.press(button(till))
    assert "Nothing was taken 500 points were asked for; there are 50 to spend." in till.text
    assert Exchange.objects.count() == 0
