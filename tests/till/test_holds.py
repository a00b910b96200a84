"""Points and vouchers that one till keeps, so that no other can take them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from loyaltyflow import tick
from rewards.models import Hold
from rewards.till import holds
from tests.till import shop

pytestmark = pytest.mark.django_db
KEPT = ("loyaltyflow_answer",)


def told(response):
    assert response.status_code == 200, response.content
    return response.json()


def test_held_points_cannot_be_spent_at_another_till():
    who, till = shop.member(100), shop.till()
    held = told(till("till/holds", {"external_id": "H-1", "customer": who.pk, "points": 80, "till": "Till 1"}))
    assert (held["points"], held["voucher"], held["status"]) == (80, "", "open")
    sale = {"customer": who.pk, "bill": shop.bill(), "points_to_use": 80}

    refused = till("till/orders", {**sale, "external_id": "R-1"})
    assert shop.refused(refused) == ("points", "insufficient_points")
    assert refused.json()["error"]["current"] == {"spendable": 20, "pending": 0}

    assert told(till("till/quote", {**sale, "hold": "H-1"}))["balance_after"] == {"active": 20, "pending": 0}
    sold = told(till("till/orders", {**sale, "external_id": "R-1", "hold": "H-1"}))
    assert sold["balance_after"] == {"active": 20, "pending": 0}
    assert Hold.objects.get().ended_at is not None


def test_a_held_voucher_is_locked_for_others():
    first, second, till = shop.member(), shop.member(), shop.till()
    shop.code("SAVE10")
    hold = {"external_id": "H-1", "customer": first.pk, "voucher": "save10", "store": "Salem", "till": "Till 1"}
    assert told(till("till/holds", hold))["voucher"] == "SAVE10"
    sale = {"bill": shop.bill(), "codes": ["SAVE10"]}

    refused = till("till/orders", {**sale, "external_id": "R-1", "customer": second.pk})
    assert shop.refused(refused) == ("SAVE10", "locked_by_other_till")
    assert refused.json()["error"]["current"]["till"] == "Till 1"
    other = {"external_id": "H-2", "customer": second.pk, "voucher": "SAVE10"}
    assert shop.refused(till("till/holds", other)) == ("SAVE10", "locked_by_other_till")

    told(till("till/orders", {**sale, "external_id": "R-1", "customer": first.pk, "hold": "H-1"}))


def test_many_may_hold_a_code_that_many_may_use():
    till = shop.till()
    shop.code("SPRING", uses_allowed=None)
    for number in (1, 2):
        told(till("till/holds", {"external_id": f"H-{number}", "customer": shop.member().pk, "voucher": "SPRING"}))
    assert Hold.objects.filter(ended_at=None).count() == 2


def test_a_hold_is_released():
    who, till = shop.member(100), shop.till()
    told(till("till/holds", {"external_id": "H-1", "customer": who.pk, "points": 80}))
    assert told(till("till/holds/H-1", method="DELETE"))["status"] == "ended"
    assert told(till("till/holds/H-1", method="DELETE"))["status"] == "ended"
    assert told(till("till/quote", {"customer": who.pk, "bill": shop.bill(), "points_to_use": 100}))["refusals"] == []
    assert shop.refused(till("till/holds/H-2", method="DELETE"), 404) == ("H-2", "not_found")


def test_a_hold_ends_by_its_time_whether_or_not_the_tick_has_run():
    who, till = shop.member(100), shop.till()
    shop.code("SAVE10")
    told(till("till/holds", {"external_id": "H-1", "customer": who.pk, "points": 80, "voucher": "SAVE10"}))
    Hold.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    asked = {"customer": who.pk, "bill": shop.bill(), "points_to_use": 100, "codes": ["SAVE10"]}
    assert told(till("till/quote", asked))["refusals"] == []
    told(till("till/holds", {"external_id": "H-2", "customer": who.pk, "points": 80, "voucher": "SAVE10"}))
    assert told(till("till/holds/H-1", method="DELETE"))["status"] == "ended"


def test_the_tick_ends_what_is_over():
    who = shop.member(100)
    now = timezone.now()
    for number, minutes in enumerate((-1, 5)):
        ends = now + timedelta(minutes=minutes)
        Hold.objects.create(source="till", external_id=f"H-{number}", customer=who, points=1, expires_at=ends)
    assert holds.end(now) == {"ended": 1}
    assert holds.end(now) == {"ended": 0}
    ended = Hold.objects.get(external_id="H-0")
    assert ended.ended_at == ended.expires_at
    assert "holds.end" in [stage.name for stage in tick.STAGES]


@pytest.mark.parametrize(
    ("_case", "wanted", "minutes"), [("as long as allowed", {}, 15), ("shorter", {"expires_in": 60}, 1)]
)
def test_a_hold_lasts_as_long_as_allowed_or_as_asked(_case, wanted, minutes):
    who = shop.member(100)
    told(shop.till()("till/holds", {"external_id": "H-1", "customer": who.pk, "points": 1, **wanted}))
    hold = Hold.objects.get()
    assert hold.expires_at - hold.created_at == timedelta(minutes=minutes)


def test_the_same_number_is_the_same_hold():
    who, till = shop.member(100), shop.till()
    asked = {"external_id": "H-1", "customer": who.pk, "points": 80}
    first = told(till("till/holds", asked))
    before = shop.dump(*KEPT)
    assert told(till("till/holds", asked)) == first
    assert shop.refused(till("till/holds", {**asked, "points": 10})) == ("H-1", "number_taken")
    assert shop.dump(*KEPT) == before


@pytest.mark.parametrize(
    ("_case", "wanted", "status", "reason"),
    [
        ("too many points", {"points": 101}, 409, "insufficient_points"),
        ("points of who has left", {"customer": "left", "points": 1}, 409, "not_eligible"),
        ("an unknown code", {"voucher": "NOPE"}, 404, "not_found"),
        ("somebody else's code", {"voucher": "HERS"}, 409, "wrong_customer"),
        ("nobody", {"customer": 999_999_999, "points": 1}, 404, "not_found"),
        ("nothing", {}, 400, "invalid"),
        ("sixteen minutes", {"points": 1, "expires_in": 960}, 400, "invalid"),
    ],
)
def test_what_cannot_be_held_is_refused(_case, wanted, status, reason):
    who, till = shop.member(100), shop.till()
    shop.code("HERS", customer=shop.member())
    if wanted.get("customer") == "left":
        wanted = wanted | {"customer": shop.member(100, loyalty_left_at=timezone.now()).pk}
    before = shop.dump(*KEPT, "loyaltyflow_guesses")
    response = till("till/holds", {"external_id": "H-1", "customer": who.pk, **wanted})
    assert shop.refused(response, status)[1] == reason
    assert shop.dump(*KEPT, "loyaltyflow_guesses") == before


def test_a_held_code_for_a_first_order_is_for_no_second_one():
    till, who = shop.till(), shop.member()
    shop.code("FIRST", shop.off("10.00", is_for_first_order=True), uses_allowed=None)
    assert till("till/holds", {"external_id": "H-1", "customer": who.pk, "voucher": "FIRST"}).status_code == 200
    order = {"customer": who.pk, "bill": shop.bill("40.00"), "codes": ["FIRST"]}
    assert till("till/orders", {**order, "external_id": "R-1"}).status_code == 200
    second = till("till/orders", {**order, "external_id": "R-2", "hold": "H-1"})
    assert shop.refused(second) == ("FIRST", "not_first_order")
