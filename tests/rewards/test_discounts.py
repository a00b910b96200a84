from decimal import Decimal
from random import Random

import pytest

from rewards.bill import Refused, rounded, smallest_coin, spread
from rewards.discounts import Discount
from rewards.discounts.amount_off_bill import AmountOffBill
from rewards.discounts.amount_off_category import AmountOffCategory
from rewards.discounts.amount_off_item import AmountOffItem
from rewards.discounts.free_gift import FreeGift
from rewards.discounts.free_product import FreeProduct
from rewards.discounts.free_shipping import FreeShipping
from rewards.discounts.percent_off_bill import PercentOffBill
from rewards.discounts.percent_off_products import PercentOffProducts
from rewards.discounts.points_multiplier import PointsMultiplier
from tests import factories

from .bills import amounts, bill, discount, line

pytestmark = pytest.mark.django_db


def refusal(each, on):
    with pytest.raises(Refused) as refused:
        each.off(on)
    return refused.value.refusal.reason, refused.value.refusal.detail


@pytest.mark.parametrize(
    ("_case", "percent", "most", "lines", "off", "said"),
    [
        ("ten", "10", None, ["60.00", "40.00"], {1: "6.00", 2: "4.00"}, "10% off the bill."),
        ("a cap", "20", "25.00", ["100.00", "100.00"], {1: "12.50", 2: "12.50"}, "20% off the bill, at most $25.00."),
        ("below the cap", "20", "25.00", ["10.00"], {1: "2.00"}, "20% off the bill, at most $25.00."),
        ("half a cent is one", "15", None, ["0.10"], {1: "0.02"}, "15% off the bill."),
        ("the parts add up", "10", None, ["3.33", "3.33", "3.33"], {1: "0.34", 2: "0.33", 3: "0.33"}, None),
        ("all of it", "100", None, ["7.01", "0.02"], {1: "7.01", 2: "0.02"}, None),
        ("goods brought back have no part", "10", None, ["10.00", "-4.00"], {1: "0.60"}, None),
    ],
)
def test_percent_off_the_bill(now, _case, percent, most, lines, off, said):
    made = discount(PercentOffBill, percent=Decimal(percent), most=most and Decimal(most))
    assert amounts(made.off(bill(now, *lines))) == off
    assert said is None or made.summary() == said


def test_percent_off_products_leaves_the_others(now):
    beans = factories.product(name="Beans", category="Coffee")
    made = discount(PercentOffProducts, percent=Decimal(15), off_categories=["bakery"])
    made.off_products.add(beans)
    goods = [line("20.00", product=beans), line("10.00", category="Bakery"), line("99.00", category="Tea")]

    assert amounts(made.off(bill(now, *goods))) == {1: "3.00", 2: "1.50"}
    assert made.summary() == "15% off Beans or bakery."
    assert refusal(made, bill(now, line("99.00", category="Tea"))) == (
        "product_not_in_bill",
        "There is nothing of Beans or bakery on this bill.",
    )


@pytest.mark.parametrize(
    ("_case", "lines", "off"),
    [
        ("in proportion", ["60.00", "15.00"], {1: "8.00", 2: "2.00"}),
        ("never below zero", ["3.00", "4.00"], {1: "3.00", 2: "4.00"}),
        ("a cent too many", ["10.00", "10.00", "10.00"], {1: "3.34", 2: "3.33", 3: "3.33"}),
    ],
)
def test_amount_off_the_bill(now, _case, lines, off):
    assert amounts(discount(AmountOffBill, amount=Decimal(10)).off(bill(now, *lines))) == off


@pytest.mark.parametrize(
    ("_case", "lines", "off"),
    [
        ("a $7 item", [line("7.00")], {1: "7.00"}),
        ("the dearest", [line("12.00"), line("30.00"), line("7.00")], {2: "10.00"}),
        ("one piece of three", [line("12.00", quantity="3")], {1: "4.00"}),
        ("the dearest piece, not the dearest line", [line("24.00", quantity="4"), line("8.00")], {2: "8.00"}),
        ("less than a pound is one piece", [line("4.50", quantity="0.5")], {1: "4.50"}),
        ("the first of two alike", [line("12.00"), line("12.00")], {1: "10.00"}),
    ],
)
def test_ten_dollars_off_one_item(now, _case, lines, off):
    made = discount(AmountOffItem, amount=Decimal(10))
    assert amounts(made.off(bill(now, *lines))) == off
    assert made.summary() == "$10.00 off one item of any product."


def test_five_dollars_off_flower_ignores_edibles(now):
    made = discount(AmountOffCategory, amount=Decimal(5), off_categories=["Flower"])
    flower, more_flower = line("30.00", category="Flower"), line("20.00", category="Flower")
    edibles = line("18.00", category="Edibles")

    assert amounts(made.off(bill(now, edibles, flower, more_flower))) == {2: "3.00", 3: "2.00"}
    assert amounts(made.off(bill(now, edibles, line("3.50", category="Flower")))) == {2: "3.50"}
    assert refusal(made, bill(now, edibles)) == (
        "product_not_in_bill",
        "There is nothing of Flower on this bill.",
    )
    assert made.summary() == "$5.00 off Flower."


def test_a_free_product_costs_nothing_once(now):
    preroll = factories.product(name="Pre-roll")
    made = discount(FreeProduct, product=preroll)

    assert amounts(made.off(bill(now, "25.00", line("8.00", product=preroll)))) == {2: "8.00"}
    assert amounts(made.off(bill(now, line("24.00", product=preroll, quantity="3")))) == {1: "8.00"}
    assert refusal(made, bill(now, "25.00")) == (
        "product_not_in_bill",
        "Pre-roll is not on this bill. Add it, and one of it is free.",
    )


def test_a_gift_is_handed_over_besides(now):
    bag = factories.product(name="Tote bag", sku="BAG")
    off = discount(FreeGift, gift=bag).off(bill(now, "3.00"))
    assert (off.gift, off.total) == ("BAG", 0)


@pytest.mark.parametrize(
    ("_case", "most", "shipping", "off"), [("all", None, "9.90", "9.90"), ("so much", "7.50", "9.90", "7.50")]
)
def test_free_shipping(now, _case, most, shipping, off):
    made = discount(FreeShipping, most=most and Decimal(most))
    assert str(made.off(bill(now, "20.00", shipping=Decimal(shipping))).total) == off
    assert refusal(made, bill(now, "20.00")) == ("product_not_in_bill", "There is no shipping on this bill.")


def test_times_the_points(now):
    made = discount(PointsMultiplier, factor=Decimal("2.50"))
    assert (made.off(bill(now, "20.00")).factor, made.summary()) == (Decimal("2.50"), "2.5 times the points.")


def test_parts_add_up_to_the_whole_and_no_line_goes_below_zero(now):
    random = Random(7)
    for places in (0, 2):
        for _each in range(300):
            coin = Decimal(1).scaleb(-places)
            lines = bill(now, *(str(random.randint(0, 5_000) * coin) for _line in range(random.randint(1, 9)))).lines
            whole = sum(each.amount for each in lines)
            amount = random.randint(0, int(whole / coin)) * coin
            parts = spread(amount, lines, places)
            assert sum(parts.values()) == amount
            assert all(0 < parts.get(each.number, coin) <= max(each.amount, coin) for each in lines)


def test_more_than_the_lines_cost_cannot_be_spread(now):
    with pytest.raises(ValueError, match=r"Expected at most 5\.00, which the lines cost together, not 5\.01\."):
        spread(Decimal("5.01"), bill(now, "5.00").lines, 2)


def test_amounts_are_rounded_to_the_smallest_coin_half_up():
    assert [smallest_coin(currency) for currency in ("USD", "JPY", "KWD")] == [2, 0, 2]
    assert [rounded(Decimal(each), 2) for each in ("0.125", "0.124")] == [Decimal("0.13"), Decimal("0.12")]
    assert rounded(Decimal("12.5"), 0) == 13


def test_every_kind_says_what_it_is():
    kinds = Discount.__subclasses__()
    assert len({kind for kind in kinds if kind.__module__.startswith("rewards.discounts.")}) == 9
    for kind in kinds:
        assert kind.__doc__ and kind.examples and kind.icon
