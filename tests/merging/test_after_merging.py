"""What tills and staff do with orders, holds and adjustments of somebody who turned out to be somebody else."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from loyaltyflow import merging
from loyaltyflow.store.models import Customer, ExternalId, Order
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
    ask = till.ask([till.Item("TEA", shop.Decimal(1), shop.Decimal("5.00"))], now, customer=merged.pk)
    reason = AdjustmentReason.objects.get_or_create(code="goodwill", defaults={"title": "A thank-you"})[0]
    merging.merge(kept, merged, now)
    before = shop.dump()

    with pytest.raises(Refused) as refused:
        adjustments.adjust(merged.pk, 5, reason, "", None, "k", now)
    assert refused.value.refusal.reason == Reason.NOT_FOUND
    assert shop.dump() == before

    assert till.commit(ask, "R-1", now).order.customer == kept
    assert till.hold("H-1", now, customer=merged.pk, points=1).customer_id == kept.pk
    assert set(Customer.objects.values_list("pk", flat=True)) == {kept.pk}


@pytest.mark.parametrize("_case", ["merged once", "merged twice"])
def test_what_a_till_asks_late_by_the_merged_customer_goes_to_the_kept_one(_case):
    AdjustmentReason.objects.update_or_create(code="goodwill", defaults={"title": "A thank-you", "is_active": True})
    shop.rule("1")
    at, merged = shop.till(scopes=("till", "points")), shop.member(100)
    early = {"external_id": "R-1", "customer": merged.pk, "bill": shop.bill("50.00")}
    told = at("till/orders", early).json()
    kept = shop.member(10)
    merging.merge(kept, merged, timezone.now())
    if _case == "merged twice":
        last = shop.member()
        merging.merge(last, kept, timezone.now())
        kept = last

    assert at("till/orders", early).json()["order"] == told["order"]
    late = {"external_id": "R-2", "customer": merged.pk, "bill": shop.bill("20.00"), "points_to_use": 100}
    quoted = at("till/quote", {name: late[name] for name in ("customer", "bill", "points_to_use")}).json()
    assert (quoted["customer"]["id"], quoted["balance_after"]["active"]) == (kept.pk, 160 - 100 + 15)
    assert at("till/orders", late).json()["balance_after"]["active"] == 75
    assert at("till/orders", late).json()["balance_after"]["active"] == 75
    hold = {"external_id": "H-1", "customer": merged.pk, "points": 70}
    assert at("till/holds", hold).status_code == at("till/holds", hold).status_code == 200
    assert Hold.objects.get().customer == kept
    given = {"external_id": "A-1", "customer": merged.pk, "points": 5, "reason": "goodwill"}
    assert at("points/adjust", given).json()["balance_after"]["active"] == 10
    assert set(Order.objects.values_list("customer", flat=True)) == {kept.pk}
    assert balances(merged, kept) == [0, 80]
    assert ledger.verify() == []


@pytest.mark.parametrize("by", [{"phone": "(617) 555-0117"}, {"email": "ANN@example.com"}, {"card": "4711"}])
@pytest.mark.parametrize("_case", ["merged once", "merged twice"])
def test_the_kept_customer_is_found_by_what_the_merged_one_had(_case, by):
    had = {"email": "Ann@example.com", "phone": "+16175550117"}
    merged, kept = shop.member(**had), shop.member(email="maria@example.com", phone="+16175550999")
    ExternalId.objects.create(customer=merged, source="card", external_id="4711")
    merging.merge(kept, merged, timezone.now())
    if _case == "merged twice":
        last = shop.member(email="m@example.com", phone="+16175550888")
        merging.merge(last, kept, timezone.now())
        kept = last
    assert shop.till().look_up(**by).json()["customer"]["id"] == kept.pk

    if "card" not in by:  # whose address it is now comes before whose it was
        now_theirs = shop.member(**had)
        assert shop.till().look_up(**by).json()["customer"]["id"] == now_theirs.pk
