"""What a bill comes to, without anything being taken."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.utils import timezone

from loyaltyflow.store.models import StoreSettings
from rewards import till as verbs
from rewards.models import Programme
from tests.till import shop

pytestmark = pytest.mark.django_db


def quoted(response):
    assert response.status_code == 200, response.content
    return response.json()


def test_a_bill_is_quoted_with_codes_points_and_what_it_earns():
    shop.rule("1")
    who = shop.member(300, first_name="Maria", last_name="Ortiz")
    shop.code("SAVE10", shop.off("10.00"))

    asked = {"customer": who.pk, "bill": shop.bill("30.00", "20.00", tax="2.50"), "codes": ["save 10"]}
    told = quoted(shop.till()("till/quote", {**asked, "points_to_use": 200}))

    assert told["customer"] == {"id": who.pk, "name": "Maria Ortiz", "is_member": True}
    assert [(line["discount"], line["paid_by_points"], line["net"]) for line in told["lines"]] == [
        ("6.00", "6.00", "18.00"),
        ("4.00", "4.00", "12.00"),
    ]
    assert told["totals"] == {
        "goods": "50.00",
        "discount": "10.00",
        "paid_by_points": "10.00",
        "net": "30.00",
        "shipping": "0.00",
        "tax": "2.50",
        "to_pay": "32.50",
        "currency": "USD",
    }
    assert told["codes"] == [
        {"code": "SAVE10", "title": "$10.00 off", "amount": "10.00", "gift": "", "points_factor": "1"}
    ]
    assert (told["refusals"], told["points_to_use"], told["points_to_earn"]) == ([], 200, 30)
    assert told["earning"][0]["explanation"].endswith("on $30.00 net = 30")
    assert told["balance_after"] == {"active": 130, "pending": 0}


@pytest.mark.django_db(transaction=True)
def test_a_quote_writes_nothing():
    shop.rule()
    who = shop.member(300)
    shop.code("SAVE10")
    asked = {"customer": who.pk, "bill": shop.bill(), "codes": ["SAVE10"], "points_to_use": 100}
    shop.till()("till/quote", asked)  # the settings are there from now on
    till = shop.till()
    before = shop.dump("loyaltyflow_answer")

    assert quoted(till("till/quote", asked))["points_to_use"] == 100
    with transaction.atomic(), connection.cursor() as cursor:
        ask = verbs.ask([verbs.Item("TEA", Decimal(1), Decimal(50))], timezone.now(), customer=who.pk, points=100)
        assert verbs.quote(ask, timezone.now()).points == 100
        cursor.execute("SELECT pg_current_xact_id_if_assigned()")
        assert cursor.fetchone() == (None,)
    assert shop.dump("loyaltyflow_answer") == before


def test_a_purchase_comes_to_what_was_quoted():
    shop.rule("1")
    shop.rule("0.5")
    who = shop.member(300)
    shop.code("SAVE10")
    asked = {"customer": who.pk, "bill": shop.bill("30.00", "20.05"), "codes": ["SAVE10"], "points_to_use": 77}
    till = shop.till()

    before = quoted(till("till/quote", asked))
    assert quoted(till("till/quote", asked)) == before
    told = quoted(till("till/orders", {**asked, "external_id": "R-1"}))

    order = told.pop("order")
    assert told == before
    assert (order["external_id"], order["status"], order["net"]) == ("R-1", "completed", before["totals"]["net"])
    assert till.look_up(email=who.email).json()["balance"]["active"] == before["balance_after"]["active"]


@pytest.mark.parametrize(
    ("_case", "points", "bill", "used", "reason"),
    [
        ("all there are", 300, "40.00", 300, None),
        ("more than there are", 301, "40.00", 0, "insufficient_points"),
        ("more than the bill needs", 300, "10.02", 200, None),
        ("a bill of nothing", 100, "0.00", 0, None),
    ],
)
def test_points_are_used_as_far_as_they_and_the_bill_reach(_case, points, bill, used, reason):
    who = shop.member(300)
    told = quoted(shop.till()("till/quote", {"customer": who.pk, "bill": shop.bill(bill), "points_to_use": points}))
    assert told["points_to_use"] == used
    assert [each["reason"] for each in told["refusals"]] == ([reason] if reason else [])
    if reason:
        assert told["refusals"][0]["current"] == {"spendable": 300, "pending": 0}


@pytest.mark.parametrize(
    ("_case", "currency", "value", "points", "used", "paid"),
    [
        ("less than a cent", "USD", "0.0030", 1, 0, "0.00"),
        ("one cent and a half", "USD", "0.0030", 5, 4, "0.01"),
        ("whole cents", "USD", "0.0030", 100, 100, "0.30"),
        ("less than a yen", "JPY", "0.0500", 19, 0, "0"),
        ("a yen and a quarter", "JPY", "0.0500", 25, 20, "1"),
        ("a point worth more than a cent", "USD", "0.0175", 3, 3, "0.05"),
    ],
)
def test_no_point_is_taken_that_pays_nothing(_case, currency, value, points, used, paid):
    StoreSettings.objects.update(currency=currency, point_value=Decimal(value))
    asked = {"customer": shop.member(300).pk, "bill": shop.bill("40"), "points_to_use": points}
    told = quoted(shop.till()("till/quote", asked))
    assert (told["points_to_use"], told["totals"]["paid_by_points"]) == (used, paid)


def test_a_bill_without_a_customer_gets_the_codes_that_need_none():
    shop.rule()
    shop.code("SAVE10", shop.off(), uses_allowed=None)
    shop.code("HERS", customer=shop.member())
    told = quoted(shop.till()("till/quote", {"bill": shop.bill(), "codes": ["SAVE10", "HERS"], "points_to_use": 1}))
    assert told["totals"]["net"] == "30.00"
    assert (told["customer"], told["points_to_earn"], told["balance_after"]) == (None, 0, None)
    assert [(each["code"], each["reason"]) for each in told["refusals"]] == [
        ("HERS", "wrong_customer"),
        ("points", "not_eligible"),
    ]


def test_who_is_no_member_earns_nothing_and_pays_with_no_points():
    shop.rule()
    who = shop.member(100)
    type(who).objects.update(loyalty_left_at=timezone.now() - timedelta(days=1))
    told = quoted(shop.till()("till/quote", {"customer": who.pk, "bill": shop.bill(), "points_to_use": 10}))
    assert (told["points_to_earn"], told["refusals"][0]["reason"]) == (0, "not_eligible")


def test_a_switched_off_programme_refuses_and_earns_nothing():
    shop.rule()
    Programme.objects.update_or_create(pk=1, defaults={"is_active": False})
    who = shop.member(100)
    shop.code("SAVE10")
    asked = {"customer": who.pk, "bill": shop.bill(), "codes": ["SAVE10"], "points_to_use": 10}
    told = quoted(shop.till()("till/quote", asked))
    assert [each["reason"] for each in told["refusals"]] == ["programme_inactive", "programme_inactive"]
    assert told["points_to_earn"] == 0


def test_what_is_earned_waits_while_the_purchase_can_be_returned():
    StoreSettings.objects.update_or_create(pk=1, defaults={"return_window_days": 14})
    shop.rule()
    who = shop.member(5)
    asked = {"customer": who.pk, "bill": shop.bill("40.00")}
    till = shop.till()
    assert quoted(till("till/quote", asked))["balance_after"] == {"active": 5, "pending": 40}
    told = quoted(till("till/orders", {**asked, "external_id": "R-1"}))
    assert (told["balance_after"], told["points_to_earn"]) == ({"active": 5, "pending": 40}, 40)


def test_money_has_the_decimals_of_the_currency():
    StoreSettings.objects.update_or_create(pk=1, defaults={"currency": "JPY", "point_value": 1})
    told = quoted(shop.till()("till/quote", {"bill": shop.bill("1200")}))
    assert (told["totals"]["net"], told["lines"][0]["amount"]) == ("1200", "1200")


@pytest.mark.parametrize("bill", [shop.bill("100.55"), shop.bill("100", tax="0.5"), shop.bill("100", shipping="0.01")])
def test_an_amount_that_cannot_be_paid_in_the_currency_is_refused(bill):
    StoreSettings.objects.update(currency="JPY")
    assert shop.refused(shop.till()("till/quote", {"bill": bill}), 400) == ("invalid", "invalid")
    assert quoted(shop.till()("till/quote", {"bill": shop.bill("100.00", tax="5")}))["totals"]["to_pay"] == "105"


def test_the_statements_of_a_quote_do_not_depend_on_lines_and_codes(django_assert_num_queries):
    shop.rule()
    who, till = shop.member(100), shop.till()
    for number in range(9):
        shop.code(f"SAVE{number}", shop.off("1.00"))

    def statements(lines, codes):
        bill = shop.bill(*["10.00"] * lines)
        with django_assert_num_queries(16):
            asked = {"customer": who.pk, "bill": bill, "codes": codes, "points_to_use": 5}
            assert quoted(till("till/quote", asked))["refusals"] == []

    # The first one notes when the key was used.
    quoted(till("till/quote", {"customer": who.pk, "bill": shop.bill(), "codes": ["SAVE0"]}))
    statements(1, ["SAVE0"])
    statements(50, [f"SAVE{number}" for number in range(9)])
