"""Purchases at the till: all of it or nothing, and once."""

from decimal import Decimal

import pytest
from django.utils import timezone

from loyaltyflow.models import Answer
from loyaltyflow.store.models import Event, Order, OrderLine, Product
from rewards.models import Account, Entry, Hold, Redemption, Voucher
from segments.models import Membership, Segment
from tests.till import shop

pytestmark = pytest.mark.django_db
KEPT = "loyaltyflow_answer"


def test_a_purchase_is_written_down_redeemed_and_earned():
    shop.rule("1")
    who = shop.member(300)
    voucher = shop.code("SAVE10", customer=who)
    asked = {"external_id": "R-1", "customer": who.pk, "store": "Salem", "till": "Till 1"}
    asked |= {"bill": shop.bill("30.00", "20.00", shipping="4.00", tax="2.50")}
    response = shop.till(source="pos")("till/orders", {**asked, "codes": ["SAVE10"], "points_to_use": 200})
    assert response.status_code == 200, response.content

    order = Order.objects.get()
    assert (order.source, order.external_id, order.channel, order.store_location) == ("pos", "R-1", "till", "Salem")
    assert [str(each) for each in (order.net, order.discount, order.shipping, order.tax)] == [
        "30.00",
        "20.00",
        "4.00",
        "2.50",
    ]
    assert order.discount_code == "SAVE10"
    assert order.completed_at == order.placed_at
    lines = OrderLine.objects.order_by("number").values_list("product__sku", "net", "discount")
    assert list(lines) == [("TEA-1", Decimal("18.00"), Decimal("12.00")), ("TEA-2", Decimal("12.00"), Decimal("8.00"))]
    use = Redemption.objects.get()
    assert (use.voucher, str(use.amount), use.store_location, use.till) == (voucher, "10.00", "Salem", "Till 1")
    assert Voucher.objects.get().state == Voucher.State.REDEEMED
    entries = Entry.objects.filter(order=order).order_by("pk").values_list("kind", "points")
    assert list(entries) == [("redeem", -200), ("earn", 30)]
    assert Account.objects.get().balance == 130
    names = Event.objects.filter(name__startswith="order").order_by("name").values_list("name", "key", "source")
    assert list(names) == [
        ("order_completed", f"order_completed:{order.pk}", "pos"),
        ("order_placed", f"order_placed:{order.pk}", "pos"),
    ]


@pytest.mark.parametrize(
    ("_case", "wanted", "reason", "status"),
    [
        ("a code that nobody knows", {"codes": ["NOPE"]}, ("NOPE", "not_found"), 404),
        ("a good and a bad code", {"codes": ["SAVE10", "SPENT"]}, ("SPENT", "already_redeemed"), 409),
        ("too many points", {"codes": ["SAVE10"], "points_to_use": 401}, ("points", "insufficient_points"), 409),
        ("nobody", {"customer": 999_999_999}, ("customer", "not_found"), 404),
    ],
)
def test_a_refused_purchase_changes_nothing(_case, wanted, reason, status):
    shop.rule()
    who, till = shop.member(300), shop.till()
    shop.code("SAVE10")
    shop.code("SPENT")
    asked = {"customer": who.pk, "bill": shop.bill("50.00")}
    assert till("till/orders", {**asked, "external_id": "R-1", "codes": ["SPENT"]}).status_code == 200
    before = shop.dump(KEPT, "loyaltyflow_guesses")

    response = till("till/orders", {**asked, "external_id": "R-2", **wanted})

    assert shop.refused(response, status) == reason
    assert shop.dump(KEPT, "loyaltyflow_guesses") == before


def test_who_comes_second_is_told_who_used_the_code_and_where():
    first, second = shop.member(), shop.member()
    shop.code("SAVE10")
    till = shop.till()
    sold = {"bill": shop.bill(), "codes": ["SAVE10"], "store": "Salem", "till": "Till 1"}
    assert till("till/orders", {**sold, "external_id": "R-1", "customer": first.pk}).status_code == 200
    error = till("till/orders", {**sold, "external_id": "R-2", "customer": second.pk}).json()["error"]
    assert error["reason"] == "already_redeemed"
    assert (error["current"]["store_location"], error["current"]["till"]) == ("Salem", "Till 1")
    assert "Salem" in error["detail"]
    assert Order.objects.count() == 1


def test_the_same_number_is_the_same_purchase_under_another_key_too():
    shop.rule()
    who, till = shop.member(300), shop.till()
    shop.code("SAVE10")
    asked = {"external_id": "R-1", "customer": who.pk, "bill": shop.bill(), "codes": ["SAVE10"], "points_to_use": 100}
    first = till("till/orders", asked)
    before = shop.dump(KEPT)
    again = till("till/orders", asked)
    assert (again.status_code, again.json()) == (200, first.json())
    assert "Idempotent-Replayed" not in again.headers
    other = till("till/orders", {**asked, "bill": shop.bill("41.00")})
    assert shop.refused(other) == ("R-1", "number_taken")
    assert other.json()["error"]["current"] == {"status": "completed", "net": "25.00", "refunded": "0.00"}
    assert shop.dump(KEPT) == before


def test_two_systems_may_use_the_same_number():
    who = shop.member()
    asked = {"external_id": "R-1", "customer": who.pk, "bill": shop.bill()}
    for source in ("pos-a", "pos-b"):
        assert shop.till(source=source)("till/orders", asked).status_code == 200
    assert Order.objects.count() == 2


def test_a_placed_order_earns_when_it_is_completed():
    shop.rule("1")
    who, till = shop.member(), shop.till()
    asked = {"external_id": "R-1", "customer": who.pk, "bill": shop.bill("40.00")}
    placed = till("till/orders", {**asked, "status": "placed"}).json()
    assert (placed["order"]["status"], placed["points_to_earn"], placed["balance_after"]["active"]) == ("placed", 40, 0)
    assert not Entry.objects.exists()

    done = till("till/orders", {**asked, "status": "completed"}).json()
    assert (done["order"]["status"], done["balance_after"]["active"]) == ("completed", 40)
    assert done["lines"] == placed["lines"]
    assert till("till/orders", asked).json() == done
    assert Entry.objects.get().points == 40
    assert Event.objects.filter(name="order_completed").count() == 1


def test_products_that_are_not_known_are_made():
    who = shop.member()
    lines = [{"sku": "NEW", "name": "New tea", "amount": "5.00", "quantity": "0.750"}]
    told = shop.till()("till/orders", {"external_id": "R-1", "customer": who.pk, "bill": {"lines": lines}}).json()
    assert (told["lines"][0]["quantity"], Product.objects.get().name) == ("0.75", "New tea")


def members_only():
    segment = Segment.objects.create(name="Regulars", kind=Segment.Kind.STATIC)
    discount = shop.off()
    discount.segments.add(segment)
    who = shop.member()
    Membership.objects.create(segment=segment, customer=who, joined_at=timezone.now())
    return who, shop.code("REGULAR", discount)


@pytest.mark.parametrize("is_held", [False, True])
def test_who_leaves_the_segment_between_quote_and_purchase_is_refused_unless_it_was_held(is_held):
    who, voucher = members_only()
    till = shop.till()
    asked = {"customer": who.pk, "bill": shop.bill(), "codes": [voucher.code]}
    if is_held:
        asked["hold"] = "H-1"
        held = {"external_id": "H-1", "customer": who.pk, "voucher": voucher.code}
        assert till("till/holds", held).status_code == 200
    assert till("till/quote", asked).json()["totals"]["net"] == "30.00"

    Membership.objects.update(left_at=timezone.now())
    before = shop.dump(KEPT)
    response = till("till/orders", {**asked, "external_id": "R-1"})

    if is_held:
        assert response.json()["totals"]["net"] == "30.00"
        assert Hold.objects.get().ended_at is not None
    else:
        assert shop.refused(response) == ("REGULAR", "not_eligible")
        assert shop.dump(KEPT) == before


def test_the_answer_is_kept_for_a_week_and_more():
    who = shop.member()
    response = shop.till()("till/orders", {"external_id": "R-1", "customer": who.pk, "bill": shop.bill()})
    assert Answer.objects.get().body.encode() == response.content


def test_the_statements_of_a_purchase_do_not_depend_on_lines_and_codes(django_assert_num_queries):
    shop.rule()
    who, till = shop.member(1000), shop.till()
    for number in range(10):
        shop.code(f"SAVE{number}", shop.off("1.00"))

    def statements(number, lines, codes):
        bill = shop.bill(*["20.00"] * lines)
        asked = {"external_id": number, "customer": who.pk, "bill": bill, "codes": codes, "points_to_use": 5}
        with django_assert_num_queries(27):
            response = till("till/orders", asked)
            assert response.status_code == 200, response.content

    till("till/orders", {"external_id": "R-0", "customer": who.pk, "bill": shop.bill(*["20.00"] * 50)})
    statements("R-1", 1, ["SAVE0"])
    statements("R-2", 50, [f"SAVE{number}" for number in range(1, 10)])
