"""What is paid back, and what that does to points and vouchers."""

from decimal import Decimal

import pytest
from django.utils import timezone

from loyaltyflow.store.models import Event, Order, Refund, StoreSettings
from rewards import ledger
from rewards.models import Account, Programme, Voucher
from rewards.rules.points_per_order import PointsPerOrder
from rewards.rules.points_per_unit import PointsPerUnit
from tests.till import shop

pytestmark = pytest.mark.django_db
KEPT = "loyaltyflow_answer"


def sold(till, who, *amounts, **wanted):
    asked = {"external_id": "R-1", "customer": who.pk, "bill": shop.bill(*amounts), **wanted}
    response = till("till/orders", asked)
    assert response.status_code == 200, response.content
    return response.json()


def back(till, number="B-1", **wanted):
    response = till("till/orders/R-1/refunds", {"external_id": number, **wanted})
    assert response.status_code == 200, response.content
    return response.json()


def test_partial_refunds_take_back_what_the_rest_would_not_have_earned():
    shop.rule("0.1")
    till, who = shop.till(), shop.member()
    assert sold(till, who, "21.90")["points_to_earn"] == 2

    assert back(till, "B-1", amount="1.00")["points_taken_back"] == 0
    assert back(till, "B-2", amount="11.00")["points_taken_back"] == 1
    last = back(till, "B-3")
    assert (last["points_taken_back"], last["amount"], last["order"]["status"]) == (1, "9.90", "refunded")
    assert Account.objects.get().balance == 0
    assert ledger.verify() == []


def test_a_refund_of_lines_is_kept_by_line():
    shop.rule("1")
    till, who = shop.till(), shop.member()
    lines = [{"sku": "A", "amount": "10.00", "quantity": 3}, {"sku": "B", "amount": "20.00"}]
    asked = {"external_id": "R-1", "customer": who.pk, "bill": {"lines": lines}}
    till("till/orders", asked)

    told = back(till, "B-1", lines=[{"number": 1, "quantity": 1}, {"number": 2, "amount": "5.00"}])
    assert (told["amount"], told["order"]["refunded"], told["order"]["status"]) == ("8.33", "8.33", "completed")
    told = back(till, "B-2", lines=[{"number": 1}])
    assert told["amount"] == "6.67"
    assert list(Refund.objects.order_by("pk").values_list("external_id", "line", "amount")) == [
        ("B-1", 1, Decimal("3.33")),
        ("B-1", 2, Decimal("5.00")),
        ("B-2", 1, Decimal("6.67")),
    ]
    told = back(till, "B-3")
    assert (told["amount"], told["order"]["status"]) == ("15.00", "refunded")
    order = Order.objects.get()
    assert order.refunded == order.net == Decimal("30.00")
    assert Account.objects.get().balance == 0
    names = Event.objects.filter(name__in=["order_refunded", "order_updated"]).order_by("pk").values_list("name")
    assert [name for (name,) in names] == ["order_refunded", "order_updated", "order_updated", "order_updated"]


@pytest.mark.parametrize(
    ("_case", "wanted", "status", "reason"),
    [
        ("more than was paid", {"amount": "40.01"}, 409, "refund_too_large"),
        ("nothing", {"amount": "0.00"}, 409, "refund_too_large"),
        ("more of a line than was bought", {"lines": [{"number": 1, "quantity": 2}]}, 409, "refund_too_large"),
        ("a line twice", {"lines": [{"number": 1}, {"number": 1, "amount": "0.01"}]}, 409, "refund_too_large"),
        ("no such line", {"lines": [{"number": 9}]}, 404, "not_found"),
        ("lines and an amount", {"amount": "1.00", "lines": [{"number": 1}]}, 400, "invalid"),
        ("both of a line", {"lines": [{"number": 1, "quantity": 1, "amount": "1.00"}]}, 400, "invalid"),
    ],
)
def test_a_refund_that_cannot_be_changes_nothing(_case, wanted, status, reason):
    shop.rule()
    till, who = shop.till(), shop.member()
    sold(till, who, "40.00")
    before = shop.dump(KEPT)
    response = till("till/orders/R-1/refunds", {"external_id": "B-1", **wanted})
    assert shop.refused(response, status)[1] == reason
    assert shop.dump(KEPT) == before


def test_the_same_refund_is_paid_once():
    shop.rule()
    till, who = shop.till(), shop.member(10)
    sold(till, who, "40.00")
    first = back(till, "B-1", amount="15.00")
    before = shop.dump(KEPT)
    assert back(till, "B-1", amount="15.00") == first
    assert shop.dump(KEPT) == before
    assert (first["points_taken_back"], first["balance_after"]["active"]) == (15, 35)


@pytest.mark.parametrize(
    ("_case", "first", "then"),
    [
        ("another amount", {"amount": "1.00"}, {"amount": "30.00"}),
        ("an amount, not a line", {"lines": [{"number": 1, "amount": "5.00"}]}, {"amount": "5.00"}),
        ("another line", {"lines": [{"number": 1}]}, {"lines": [{"number": 2}]}),
        (
            "more of the line",
            {"lines": [{"number": 1, "amount": "5.00"}]},
            {"lines": [{"number": 1, "amount": "6.00"}]},
        ),
        ("a line, not all", {"lines": [{"number": 1}]}, {}),
    ],
)
def test_the_number_of_a_refund_is_that_of_one_refund(_case, first, then):
    shop.rule()
    till, who = shop.till(), shop.member()
    sold(till, who, "40.00", "10.00")
    back(till, "B-1", **first)
    before = shop.dump(KEPT)
    assert shop.refused(till("till/orders/R-1/refunds", {"external_id": "B-1", **then})) == ("B-1", "number_taken")
    assert shop.dump(KEPT) == before
    assert back(till, "B-1", **first)["external_id"] == "B-1"
    assert shop.dump(KEPT) == before


def test_what_is_paid_back_before_an_order_is_completed_earns_nothing():
    shop.rule()
    till, who = shop.till(), shop.member()
    sold(till, who, "100.00", status="placed")
    back(till, "B-1", amount="90.00")
    assert sold(till, who, "100.00")["balance_after"] == {"active": 10, "pending": 0}
    assert ledger.verify() == []


def test_an_order_that_nobody_knows():
    till = shop.till()
    assert shop.refused(till("till/orders/R-9/refunds", {"external_id": "B-1"}), 404) == ("R-9", "not_found")
    assert shop.refused(till("till/orders/R-9/cancel", {}), 404) == ("R-9", "not_found")


def test_what_was_redeemed_comes_back_with_an_order_that_an_import_said_was_cancelled():
    till, who = shop.till(), shop.member(300)
    shop.code("SAVE10", customer=who)
    sold(till, who, "40.00", codes=["SAVE10"], points_to_use=100)
    Order.objects.update(cancelled_at=timezone.now())
    told = till("till/orders/R-1/cancel", {}).json()
    assert (told["points_given_back"], told["balance_after"]["active"]) == (100, 300)
    assert Voucher.objects.get().state == "issued"
    before = shop.dump(KEPT)
    assert till("till/orders/R-1/cancel", {}).status_code == 200
    assert shop.dump(KEPT) == before
    assert ledger.verify() == []


def test_a_part_of_a_line_is_paid_back_in_whole_coins_of_the_currency():
    StoreSettings.objects.update(currency="JPY", point_value=Decimal(1))
    till, who = shop.till(), shop.member()
    sold(till, who, bill={"lines": [{"sku": "A", "amount": "100", "quantity": 3}]})
    told = [back(till, number, lines=[{"number": 1, "quantity": 1}])["amount"] for number in ("B-1", "B-2", "B-3")]
    assert [Decimal(amount) for amount in told] == [33, 33, 33]


@pytest.mark.parametrize("restores_partly", [False, True])
def test_what_was_redeemed_comes_back_with_a_refund_only_if_the_programme_says_so(restores_partly):
    """100 points paid $5 and a voucher $10 of $40: with $5 of the $25 a fifth of the points comes back."""
    Programme.objects.update_or_create(pk=1, defaults={"restores_partly": restores_partly})
    till, who = shop.till(), shop.member(300)
    shop.code("SAVE10", customer=who)
    sold(till, who, "40.00", codes=["SAVE10"], points_to_use=100)
    told = back(till, "B-1", amount="5.00")
    assert (told["points_given_back"], told["codes_given_back"]) == (20 if restores_partly else 0, [])
    assert Voucher.objects.get().state == "redeemed"
    told = back(till, "B-2")
    assert (told["points_given_back"], told["codes_given_back"]) == ((80, ["SAVE10"]) if restores_partly else (0, []))
    assert Account.objects.get().balance == (300 if restores_partly else 200)
    assert Voucher.objects.get().state == ("issued" if restores_partly else "redeemed")


def test_small_refunds_again_and_again_do_not_make_a_voucher_one_for_ever():
    """A cent paid back of each purchase gives neither the voucher back nor more points than the cent is of it."""
    Programme.objects.update_or_create(pk=1, defaults={"restores_partly": True})
    till, who = shop.till(), shop.member(300)
    shop.code("SAVE10", customer=who)
    sold(till, who, "40.00", codes=["SAVE10"], points_to_use=100)
    for number in range(5):
        assert back(till, f"B-{number}", amount="0.01")["points_given_back"] == 0

    again = {"external_id": "R-2", "customer": who.pk, "bill": shop.bill("40.00"), "codes": ["SAVE10"]}
    assert shop.refused(till("till/orders", again))[1] == "already_redeemed"
    assert Account.objects.get().balance == 200
    assert [back(till, f"C-{n}", amount="8.00")["points_given_back"] for n in range(3)] == [32, 32, 32]
    assert back(till, "D-1")["points_given_back"] == 4
    assert Account.objects.get().balance == 300
    assert ledger.verify() == []


@pytest.mark.parametrize(
    ("_case", "wanted"),
    [
        ("all of it", {}),
        ("nothing of money", {"amount": "0.00"}),
        ("its lines", {"lines": [{"number": 1}, {"number": 2}]}),
    ],
)
def test_what_points_and_vouchers_paid_for_comes_back_when_it_is_returned(_case, wanted):
    """A voucher takes $10 off $15, 100 points pay the other $5; each visit earns 7."""
    PointsPerOrder.objects.create(name="Visits", points=7, starts_at=shop.JOINED)
    till, who = shop.till(), shop.member(300)
    shop.code("SAVE10", customer=who)
    told = sold(till, who, "9.00", "6.00", codes=["SAVE10"], points_to_use=100)
    assert (told["totals"]["net"], told["balance_after"]["active"]) == ("0.00", 207)

    told = back(till, "B-1", **wanted)
    assert (told["amount"], told["points_given_back"], told["codes_given_back"]) == ("0.00", 100, ["SAVE10"])
    assert (told["order"]["status"], told["points_taken_back"], told["balance_after"]["active"]) == ("refunded", 7, 300)
    before = shop.dump(KEPT)
    assert back(till, "B-1", **wanted) == told
    assert shop.refused(till("till/orders/R-1/refunds", {"external_id": "B-2"}))[1] == "refund_too_large"
    assert shop.dump(KEPT) == before
    assert ledger.verify() == []


def test_a_line_that_points_paid_for_brings_back_its_points():
    PointsPerUnit.objects.create(name="Units", points=3, starts_at=shop.JOINED)
    till, who = shop.till(), shop.member(300)
    told = sold(till, who, "10.00", "5.00", points_to_use=300)
    assert (told["totals"]["net"], told["points_to_earn"]) == ("0.00", 6)

    told = back(till, "B-1", lines=[{"number": 1, "quantity": 1}])
    assert (told["points_given_back"], told["points_taken_back"], told["order"]["status"]) == (200, 3, "completed")
    before = shop.dump(KEPT)
    for wrong in ([{"number": 1}], [{"number": 2, "quantity": "0.5"}], [{"number": 2, "amount": "1.00"}]):
        asked = {"external_id": "B-2", "lines": wrong}
        assert shop.refused(till("till/orders/R-1/refunds", asked))[1] == "refund_too_large"
    assert shop.dump(KEPT) == before

    told = back(till, "B-3", lines=[{"number": 2}])
    assert (told["points_given_back"], told["points_taken_back"], told["order"]["status"]) == (100, 3, "refunded")
    assert Account.objects.get().balance == 300
    assert ledger.verify() == []


def test_a_cancelled_order_gives_everything_back():
    shop.rule("1")
    till, who = shop.till(), shop.member(300)
    shop.code("SAVE10", customer=who)
    assert sold(till, who, "40.00", codes=["SAVE10"], points_to_use=100)["balance_after"]["active"] == 225

    response = till("till/orders/R-1/cancel", {})
    told = response.json()
    assert (told["order"]["status"], told["points_taken_back"], told["points_given_back"]) == ("cancelled", 25, 100)
    assert (told["codes_given_back"], told["balance_after"]["active"]) == (["SAVE10"], 300)
    before = shop.dump(KEPT)
    assert till("till/orders/R-1/cancel", {}).json() == told
    assert shop.dump(KEPT) == before
    assert Voucher.objects.get().state == Voucher.State.ISSUED
    assert ledger.verify() == []
    assert shop.refused(till("till/orders/R-1/refunds", {"external_id": "B-1"})) == ("R-1", "order_closed")
    assert sold(till, who, "40.00", codes=["SAVE10"], external_id="R-2")["totals"]["net"] == "30.00"
