"""Who somebody at the till is, and what is refused before anything is looked at."""

from datetime import timedelta

import pytest
from django.utils import timezone

from loyaltyflow import guesses
from loyaltyflow.models import Answer, Guesses
from loyaltyflow.store.models import ExternalId
from rewards.models import Account, AdjustmentReason, Entry, Standing, Tier
from segments.models import Membership, Segment
from tests.till import shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def maria():
    who = shop.member(300, first_name="Maria", email="Maria@Example.com", phone="+16175550117")
    ExternalId.objects.create(customer=who, source="card", external_id="4711")
    return who


@pytest.mark.parametrize(
    "by",
    [{"phone": "(617) 555-0117"}, {"phone": "+1 617 555 0117"}, {"email": "MARIA@example.COM"}, {"card": "4711"}],
)
def test_a_customer_is_found_however_it_is_written(maria, by):
    told = shop.till().look_up(**by).json()
    assert (told["customer"]["id"], told["customer"]["is_member"]) == (maria.pk, True)
    assert (told["balance"]["active"], told["balance"]["worth"]) == (300, "15.00")


@pytest.mark.parametrize(
    ("_case", "by", "status", "reason"),
    [
        ("nobody", {"email": "ann@example.com"}, 404, "not_found"),
        ("no phone number", {"phone": "abc"}, 400, "invalid"),
        ("nothing", {}, 400, "invalid"),
        ("two ways", {"email": "a@example.com", "card": "1"}, 400, "invalid"),
        ("an unknown way", {"name": "Maria"}, 400, "invalid"),
    ],
)
def test_who_cannot_be_found(maria, _case, by, status, reason):
    assert shop.refused(shop.till().look_up(**by), status) == (reason, reason)


def test_a_shared_phone_number_names_those_who_share_it(maria):
    other = shop.member(phone=maria.phone)
    response = shop.till().look_up(phone=maria.phone)
    assert shop.refused(response) == ("several_found", "several_found")
    assert {each["id"] for each in response.json()["error"]["current"]["customers"]} == {maria.pk, other.pk}


def test_what_a_till_is_told_of_a_customer(maria):
    Tier.objects.create(name="Gold", threshold=1000, benefits=["Free coffee"])
    shop.code("HERS", customer=maria)
    shop.code("LATER", customer=maria, valid_from=timezone.now() + timedelta(days=3))
    shop.off("5.00", points_price=200)
    shop.off("9.00", points_price=500)
    for number in range(6):
        segment = Segment.objects.create(
            name=f"Group {number}", kind="static", members_now=10 - number, tells_tills=number != 5
        )
        Membership.objects.create(segment=segment, customer=maria, joined_at=timezone.now())

    told = shop.till().look_up(card="4711").json()

    assert told["insights"] == ["Group 4", "Group 3", "Group 2", "Group 1"]
    assert (told["tier"]["name"], told["tier"]["next"]) == ("", "Gold")
    fits = {each["code"]: (each["fits"], (each["refusal"] or {}).get("reason")) for each in told["vouchers"]}
    assert fits == {"HERS": (True, None), "LATER": (False, "not_started")}
    assert [(each["points_price"], each["is_within_reach"]) for each in told["offers"]] == [(200, True), (500, False)]


def test_a_till_is_told_the_page_of_the_tier_only_for_its_members(maria):
    """The page of a tier below is theirs, too; that of one above is not."""
    for threshold, name in enumerate(("Bronze", "Silver", "Gold")):
        Tier.objects.create(name=name, threshold=threshold, content_url=f"https://example.com/{name}")
    Tier.objects.filter(name="Silver").update(content_url="")
    till = shop.till()
    assert till.look_up(card="4711").json()["tier"]["content_url"] == ""

    pages = {"Bronze": "Bronze", "Silver": "Bronze", "Gold": "Gold"}
    for name, page in pages.items():
        Standing.objects.update(until=timezone.now())
        Standing.objects.create(
            customer=maria, tier=Tier.objects.get(name=name), since=timezone.now(), reason=Standing.Reason.REACHED
        )
        assert till.look_up(card="4711").json()["tier"]["content_url"] == f"https://example.com/{page}"


def test_a_look_up_takes_as_many_statements_however_much_there_is(maria, django_assert_max_num_queries):
    till = shop.till()

    def statements():
        with django_assert_max_num_queries(40) as counted:
            assert till.look_up(card="4711").status_code == 200
        return len(counted)

    shop.code("A", customer=maria)
    shop.off(points_price=1)
    statements()
    few = statements()
    for number in range(10):
        shop.code(f"CODE{number}", customer=maria)
        shop.off(points_price=number + 1)
    assert statements() == few


def test_points_are_given_by_hand_once():
    AdjustmentReason.objects.update_or_create(code="goodwill", defaults={"title": "A thank-you", "is_active": True})
    who, till = shop.member(), shop.till(scopes=("points",))
    asked = {"external_id": "A-1", "customer": who.pk, "points": 50, "reason": "goodwill"}
    told = till("points/adjust", asked).json()
    assert (told["status"], told["balance_after"]) == ("done", {"active": 50, "pending": 0})
    assert till("points/adjust", asked).json() == told
    assert Entry.objects.count() == 1
    assert (
        shop.refused(till("points/adjust", {**asked, "external_id": "A-2", "points": -51}))[1] == "insufficient_points"
    )
    assert shop.refused(till("points/adjust", {**asked, "external_id": "A-3", "reason": "x"}), 400)[1] == "invalid"
    assert shop.refused(till("till/quote", {"bill": shop.bill()}), 403)[1] == "permission_denied"
    assert Account.objects.get().balance == 50


BAD = [
    ("no bill", {"bill": None}, "bill"),
    ("no lines", {"bill": {"lines": []}}, "bill.lines"),
    ("a number for money", {"bill": {"lines": [{"sku": "A", "amount": 9.5}]}}, "bill.lines.0.amount"),
    ("three decimals", {"bill": {"lines": [{"sku": "A", "amount": "9.505"}]}}, "bill.lines.0.amount"),
    ("below nothing", {"bill": {"lines": [{"sku": "A", "amount": "-9.50"}]}}, "bill.lines.0.amount"),
    ("a huge amount", {"bill": {"lines": [{"sku": "A", "amount": "9" * 30}]}}, "bill.lines.0.amount"),
    ("a NUL", {"bill": {"lines": [{"sku": "A\0", "amount": "9.50"}]}}, "bill.lines.0.sku"),
    ("half a surrogate", {"bill": {"lines": [{"sku": "\ud800", "amount": "9.50"}]}}, "bill.lines.0.sku"),
    ("no quantity", {"bill": {"lines": [{"sku": "A", "amount": "1", "quantity": 0}]}}, "bill.lines.0.quantity"),
    ("a text for points", {"points_to_use": "10"}, "points_to_use"),
    ("true for points", {"points_to_use": True}, "points_to_use"),
    ("huge points", {"points_to_use": 10**30}, "points_to_use"),
    ("a code for codes", {"codes": "SAVE10"}, "codes"),
    ("a misspelt field", {"points": 10}, "points"),
    ("a hold with a slash", {"hold": "H/1"}, "hold"),
]


@pytest.mark.parametrize(("_case", "wrong", "field"), BAD)
def test_a_wrong_field_is_named_with_what_was_expected(_case, wrong, field):
    response = shop.till()("till/quote", {"bill": shop.bill(), **wrong})
    assert shop.refused(response, 400) == ("invalid", "invalid")
    assert list(response.json()["error"]["current"]["fields"]) == [field]


def test_who_tries_codes_is_locked_out_for_a_while(monkeypatch):
    who, other, till = shop.member(), shop.member(), shop.till()
    shop.code("SAVE10", uses_allowed=None)
    for number in range(guesses.ALLOWED_FOR_CUSTOMER):
        asked = {"customer": who.pk, "bill": shop.bill(), "codes": [f"NOPE{number}"]}
        assert till("till/quote", asked).json()["refusals"][0]["reason"] == "not_found"
    asked = {"bill": shop.bill(), "codes": ["SAVE10"]}

    locked = till("till/quote", {**asked, "customer": who.pk}, key="locked")
    assert shop.refused(locked, 429) == ("too_many_guesses", "too_many_guesses")
    assert 0 < int(locked.headers["Retry-After"]) <= 900
    assert till("till/quote", {**asked, "customer": other.pk}).status_code == 200
    assert not Answer.objects.filter(key="locked").exists()

    Guesses.objects.update(since=timezone.now() - guesses.WINDOW)
    assert till("till/quote", {**asked, "customer": who.pk}, key="locked").status_code == 200
