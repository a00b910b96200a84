"""Codes used on orders that are there already, and let go of again."""

import pytest
from django.utils import timezone

from loyaltyflow.store.models import Order, OrderLine
from rewards import ledger
from rewards.models import Discount, Redemption, Voucher
from tests import factories
from tests.till import shop

pytestmark = pytest.mark.django_db
KEPT = "loyaltyflow_answer"


def taken_on_the_web(who):
    """An order that a web shop took itself."""
    order = Order.objects.create(customer=who, source="web", external_id="W-9", placed_at=timezone.now(), net=40)
    OrderLine.objects.create(order=order, number=1, product=factories.product(), quantity=1, net=40)


def counted():
    """How the code and its discount stand."""
    voucher, discount = Voucher.objects.get(), Discount.objects.get()
    return voucher.state, voucher.uses, discount.uses, Redemption.objects.standing().count()


def test_what_took_the_order_says_that_a_code_was_used_on_it_and_is_not_after_all():
    who, web = shop.member(), shop.till(source="web")
    taken_on_the_web(who)
    shop.code("SAVE10", customer=who)
    used = web("vouchers/SAVE10/redeem", {"order": "W-9"})
    assert (used.status_code, used.json()["status"], counted()) == (200, "redeemed", ("redeemed", 1, 1, 1))
    free = web("vouchers/SAVE10/release", {"order": "W-9"})
    assert (free.status_code, free.json()["status"], counted()) == (200, "released", ("issued", 0, 0, 0))
    assert web("vouchers/SAVE10/release", {"order": "W-9"}).json() == free.json()


@pytest.mark.parametrize("verb", ["redeem", "release"])
@pytest.mark.parametrize(
    ("_case", "more", "status"),
    [("under its own source", {}, 404), ("claiming to be the shop", {"source": "web"}, 400)],
)
def test_no_other_key_says_what_was_used_on_an_order(verb, _case, more, status):
    who = shop.member()
    taken_on_the_web(who)
    shop.code("SAVE10", customer=who)
    if verb == "release":
        assert shop.till(source="web")("vouchers/SAVE10/redeem", {"order": "W-9"}).status_code == 200
    pos = shop.till(source="pos")
    before = shop.dump(KEPT)

    response = pos(f"vouchers/SAVE10/{verb}", {"order": "W-9", **more})

    assert response.status_code == status, response.content
    assert shop.dump(KEPT) == before


@pytest.mark.parametrize("undo", ["cancel", "refunds"])
def test_a_code_that_was_part_of_a_sale_comes_back_with_the_sale_only(undo):
    shop.rule()
    who, till = shop.member(), shop.till()
    shop.code("SAVE10", customer=who)
    sold = {"external_id": "R-1", "customer": who.pk, "bill": shop.bill("40.00"), "codes": ["SAVE10"]}
    assert till("till/orders", sold).json()["totals"]["to_pay"] == "30.00"
    before = shop.dump(KEPT)

    released = till("vouchers/SAVE10/release", {"order": "R-1"})

    assert shop.refused(released) == ("SAVE10", "part_of_sale")
    detail = released.json()["error"]["detail"]
    assert detail.endswith("Refund or cancel the order to have it back.")
    assert shop.dump(KEPT) == before
    assert till(f"till/orders/R-1/{undo}", {} if undo == "cancel" else {"external_id": "B-1"}).status_code == 200
    assert counted() == (("issued", 0, 0, 0) if undo == "cancel" else ("redeemed", 1, 1, 1))
    assert ledger.verify() == []
