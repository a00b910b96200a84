"""What tills and staff do with orders, holds and adjustments of somebody who turned out to be somebody else."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from loyaltyflow import merging
from loyaltyflow.store.models import Customer, Order
from rewards import adjustments, ledger, till
from rewards.bill import Reason, Refused
from rewards.models import Account, Adjustment, AdjustmentReason, Hold
from tests.till import shop

pytestmark = pytest.mark.django_db


def balances(*customers):
    known = dict(Account.objects.values_list("pk", "balance"))
    return [known.get(each.pk, 0) for each in customers]


@pytest.fixture
def sold():
    """A till, and somebody with 100 points who bought for 49 with 20 of them and earned 49."""
    shop.rule("1")
    at, buyer = shop.till(), shop.member(100)
    bill = {"external_id": "R-1", "customer": buyer.pk, "bill": shop.bill("50.00"), "points_to_use": 20}
    assert at("till/orders", bill).status_code == 200
    return at, buyer


@pytest.mark.parametrize("_case", ["merged once", "merged twice"])
def test_a_purchase_of_the_merged_customer_is_paid_back_by_the_kept_one(sold, _case):
    at, buyer = sold
    kept = last = shop.member(10)
    merging.merge(kept, buyer, timezone.now())
    if _case == "merged twice":
        last = shop.member(1)
        merging.merge(last, kept, timezone.now())
    before = balances(last)[0]

    told = at("till/orders/R-1/refunds", {"external_id": "B-1", "amount": "10.00"}).json()
    assert (told["points_taken_back"], told["balance_after"]["active"]) == (10, before - 10)
    told = at("till/orders/R-1/cancel", {}).json()

    assert (told["points_taken_back"], told["points_given_back"]) == (39, 20)
    assert told["balance_after"] == {"active": before - 49 + 20, "pending": 0}
    assert balances(buyer, last) == [0, before - 29]
    assert not Account.objects.filter(owed__gt=0).exists()
    assert ledger.verify() == []
    assert at("till/orders/R-1/cancel", {}).json()["balance_after"] == told["balance_after"]


def test_an_adjustment_that_waits_goes_over_and_is_approved_there():
    kept, merged = shop.member(10), shop.member(5)
    reason = AdjustmentReason.objects.get_or_create(code="goodwill", defaults={"title": "A thank-you"})[0]
    asker, boss = User.objects.create_superuser("asker"), User.objects.create_superuser("boss")
    asked = adjustments.adjust(merged.pk, 5_000, reason, "", asker, "k", timezone.now())
    merging.merge(kept, merged, timezone.now())

    assert adjustments.approve(asked, boss, timezone.now())

    assert balances(kept, merged) == [5_015, 0]
    assert Adjustment.objects.get().customer == kept
    assert ledger.verify() == []


def test_nothing_more_is_written_for_somebody_who_was_merged_meanwhile():
    kept, merged = shop.member(10), shop.member(5)
    now = timezone.now()
    ask = till.ask([till.Item("TEA", 1, shop.Decimal("5.00"))], now, customer=merged.pk)
    reason = AdjustmentReason.objects.get_or_create(code="goodwill", defaults={"title": "A thank-you"})[0]
    merging.merge(kept, merged, now)
    before = shop.dump()

    for act in (
        lambda: till.commit(ask, "R-1", now),
        lambda: till.hold("H-1", now, customer=merged.pk, points=1),
        lambda: adjustments.adjust(merged.pk, 5, reason, "", None, "k", now),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.refusal.reason == Reason.NOT_FOUND

    assert shop.dump() == before
    assert not Order.objects.exists() and not Hold.objects.exists()
    assert set(Customer.objects.values_list("pk", flat=True)) == {kept.pk}
