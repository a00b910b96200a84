from decimal import Decimal
from itertools import permutations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Tag
from rewards.claims import claims
from rewards.combining import judged
from rewards.discounts.amount_off_item import AmountOffItem
from rewards.discounts.percent_off_bill import PercentOffBill
from rewards.discounts.percent_off_products import PercentOffProducts
from rewards.discounts.points_multiplier import PointsMultiplier
from rewards.models import Programme, Voucher
from segments.conditions.all_of import AllOf
from segments.conditions.has_tag import HasTag
from segments.models import Segment
from tests import factories

from .bills import bill, claimed, discount, line, voucher

pytestmark = pytest.mark.django_db


def told(result):
    return (
        [(claim.code, str(off.total)) for claim, off in result.taken],
        [(refusal.code, str(refusal.reason)) for refusal in result.refused],
        [str(each.amount) for each in result.left.lines],
    )


def test_lines_come_before_the_bill_whatever_the_order_of_the_codes(now):
    percent = voucher(discount(PercentOffBill, percent=10, combines=True), code="TENTH")
    fixed = voucher(discount(amount=Decimal(5), combines=True), code="FIVE")
    coffee = voucher(discount(PercentOffProducts, percent=50, off_categories=["Coffee"], combines=True), code="HALF")
    dear = voucher(discount(AmountOffItem, amount=Decimal(10), combines=True), code="ITEM")
    on = bill(now, line("20.00", category="Coffee"), "12.00", "40.00")

    taken = [("HALF", "10.00"), ("ITEM", "10.00"), ("TENTH", "5.20"), ("FIVE", "5.00")]
    for order in permutations([percent, fixed, coffee, dear]):
        result = judged(claims(Voucher.objects.get(pk=each.pk) for each in order), on, None, now)
        assert told(result) == (taken, [], ["8.04", "9.65", "24.11"])
        assert result.total == on.goods - result.left.goods == Decimal("30.20")


def test_of_those_that_do_not_go_together_the_customer_has_the_better_ones(now):
    alone = voucher(discount(amount=Decimal(9)), code="ALONE")
    first, second = (voucher(discount(amount=Decimal(5), combines=True), code=code) for code in ("ONE", "TWO"))
    for order in permutations([alone, first, second]):
        result = judged(claims(Voucher.objects.get(pk=each.pk) for each in order), bill(now, "50.00"), None, now)
        assert told(result) == (
            [("ONE", "5.00"), ("TWO", "5.00")],
            [("ALONE", "not_combinable")],
            ["40.00"],
        )
    assert result.refused[0].detail == "It cannot be used together with ONE and TWO on one bill."

    result = judged(claimed(alone, first), bill(now, "50.00"), None, now)
    assert told(result) == ([("ALONE", "9.00")], [("ONE", "not_combinable")], ["41.00"])


@pytest.mark.parametrize(
    ("limit", "reason", "said"),
    [
        ("uses_per_customer", "customer_limit_reached", "Each customer can use it once, and with this bill Ann has."),
        ("uses_allowed", "limit_reached", "It could be used once in all, and with this bill it has been."),
    ],
)
def test_two_codes_of_one_discount_are_two_uses_of_it(now, limit, reason, said):
    who = factories.customer(first_name="Ann")
    once = discount(amount=Decimal(5), combines=True, **{limit: 1})
    result = judged(claimed(voucher(once, code="ONE"), voucher(once, code="TWO")), bill(now, "50.00"), who.pk, now)

    assert told(result) == ([("ONE", "5.00")], [("TWO", reason)], ["45.00"])
    assert result.refused[0].detail == said


def test_what_is_refused_anyway_keeps_nobody_from_combining(now):
    ended = voucher(state="revoked", code="GONE")
    elsewhere = voucher(discount(PercentOffProducts, percent=50, off_categories=["Tea"]), code="TEA")
    good = voucher(discount(combines=True), code="GOOD")
    assert told(judged(claimed(ended, elsewhere, good), bill(now, "50.00"), None, now)) == (
        [("GOOD", "10.00")],
        [("TEA", "product_not_in_bill"), ("GONE", "revoked")],
        ["40.00"],
    )


def test_the_bill_never_goes_below_zero(now):
    vouchers = [voucher(discount(combines=True), code=f"TEN{number}") for number in range(3)]
    assert told(judged(claimed(*vouchers), bill(now, "7.00", "6.00"), None, now)) == (
        [("TEN0", "10.00"), ("TEN1", "3.00")],
        [("TEN2", "not_combinable")],
        ["0.00", "0.00"],
    )


def test_a_voucher_that_is_typed_twice_counts_once(now):
    made = voucher()
    assert len(claims([made, Voucher.objects.get(pk=made.pk)])) == 1


@pytest.mark.parametrize(("combination", "factor"), [("highest", 3), ("multiply", 6)])
def test_points_are_multiplied_as_the_programme_says(now, combination, factor):
    Programme.load()
    Programme.objects.update(combination=combination)
    twice, thrice = (voucher(discount(PointsMultiplier, factor=each, combines=True)) for each in (2, 3))
    who = factories.customer()
    assert judged(claimed(twice, thrice), bill(now, "7.00"), who.pk, now).factor == factor


def statements(now, vouchers, who):
    with CaptureQueriesContext(connection) as captured:
        found = list(Voucher.objects.filter(pk__in=[each.pk for each in vouchers]))
        assert len(judged(claims(found), bill(now, "500.00"), who.pk, now).taken) == len(vouchers)
    return len(captured)


def test_the_statements_do_not_depend_on_the_number_of_codes(now):
    who = factories.customer()
    Programme.load()
    everybody = Segment.objects.create(name="Everybody", root=AllOf.objects.create(), is_active=True)
    HasTag.objects.create(tag=Tag.objects.create(name="regular"), operator="has_not", parent=everybody.root)

    def made(number, **fields):
        vouchers = [voucher(discount(amount=Decimal(1), combines=True, **fields)) for _each in range(number)]
        for each in vouchers if fields else ():
            each.discount.segments.add(everybody)
        return vouchers

    statements(now, made(1, uses_per_customer=2), who)  # learns the types of rows
    # Vouchers, discounts, their kind; store, programme, customer.
    assert statements(now, made(1), who) == statements(now, made(12), who) == 6
    # Besides: segments, their tops and the rows below with a kind each; whether the customer is in; the past uses.
    limited = {"uses_per_customer": 2}
    assert statements(now, made(1, **limited), who) == statements(now, made(12, **limited), who) == 13
