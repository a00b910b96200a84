"""Rewards for points: taken once, refused whole, given back as long as they are unused."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Value
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from loyaltyflow.again import again
from loyaltyflow.merging import merge
from messaging.models import Message
from rewards import ledger, notifying
from rewards.bill import Refused
from rewards.models import Account, Budget, Draw, Entry, Exchange, Hold, Lot, Programme, Spending, Tier, Voucher
from rewards.till import cancel_exchange, exchange
from tests.till import shop

from .test_parallel import at_once  # noqa: F401

KEPT = "loyaltyflow_answer"
db = pytest.mark.django_db


def coffee(**fields):
    """A reward that costs 500 points."""
    return shop.off("5.00", **{"title": "Free coffee", "points_price": 500, **fields})


def wanted(who, reward, number="X-1", **more):
    return {"external_id": number, "customer": who.pk, "reward": reward.pk, **more}


def stands(who):
    """The balance, and the codes with their states."""
    return Account.objects.get(pk=who.pk).balance, list(Voucher.objects.order_by("pk").values_list("state", flat=True))


@db
def test_points_are_paid_and_the_customer_has_a_code_of_their_own():
    who, till, reward = shop.member(620, phone="+19785550177"), shop.till(source="pos"), coffee(valid_days=30)
    [offer] = till.look_up(phone="+19785550177").json()["offers"]

    told = till("till/rewards", wanted(who, reward, store="Salem", till="Till 2") | {"reward": offer["reward"]})

    voucher, paid = Voucher.objects.get(), Entry.objects.get(kind="redeem")
    assert told.status_code == 200, told.content
    assert told.json() == {
        "external_id": "X-1",
        "customer": who.pk,
        "reward": reward.pk,
        "title": "Free coffee",
        "points": 500,
        "code": voucher.code,
        "expires_at": told.json()["expires_at"],
        "status": "taken",
        "balance_after": {"active": 120, "pending": 0},
    }
    assert (voucher.customer, voucher.state, voucher.uses_allowed) == (who, "issued", 1)
    assert (paid.points, paid.explanation) == (-500, "500 points for Free coffee")
    made = Exchange.objects.get()
    assert (made.source, made.store_location, made.till, made.points) == ("pos", "Salem", "Till 2", 500)
    assert ledger.verify() == []
    sale = {"external_id": "R-1", "customer": who.pk, "bill": shop.bill("40.00"), "codes": [voucher.code]}
    assert till("till/orders", sale).json()["totals"]["to_pay"] == "35.00"


@db
def test_sent_again_under_another_key_it_is_the_same_code_and_paid_once():
    who, till, reward = shop.member(1200), shop.till(), coffee()
    first = till("till/rewards", wanted(who, reward))
    type(reward).objects.update(points_price=700)
    before = shop.dump(KEPT)

    again = till("till/rewards", wanted(who, reward))

    assert (again.status_code, again.json()) == (200, first.json())
    assert shop.dump(KEPT) == before
    assert stands(who) == (700, ["issued"])


def lacking_points(who, reward):
    ledger.redeem(who.pk, 1, key="spent", explanation="Spent", now=timezone.now())


def held_by_a_till(who, reward):
    ends = timezone.now() + timedelta(minutes=5)
    Hold.objects.create(source="till", external_id="H-1", customer=who, points=1, expires_at=ends)


def without_codes(who, reward):
    type(reward).objects.update(makes_codes=False)


def without_budget(who, reward):
    budget = Budget.objects.create(name="Coffee", unit="vouchers", amount=0)
    type(reward).objects.update(budget=budget)


def without_money(who, reward):
    budget = Budget.objects.create(name="Coffee", unit="money", amount=0)
    type(reward).objects.update(budget=budget)


def for_another_tier(who, reward):
    reward.tiers.add(Tier.objects.create(name="Gold", threshold=1000))


def not_for_points(who, reward):
    type(reward).objects.update(points_price=None)


def switched_off(who, reward):
    type(reward).objects.update(is_active=False)


def programme_off(who, reward):
    Programme.objects.update(is_active=False)


def used_up_by_one(who, reward):
    type(reward).objects.update(uses_per_customer=1)
    shop.code("OWN", reward, customer=who)


def left_the_programme(who, reward):
    type(who).objects.filter(pk=who.pk).update(loyalty_left_at=timezone.now())


def promised_to_all(who, reward):
    type(reward).objects.update(uses_allowed=1)
    shop.code("OTHERS", reward, customer=shop.member())


@db
@pytest.mark.parametrize(
    ("spoil", "status", "reason"),
    [
        (lacking_points, 409, "insufficient_points"),
        (held_by_a_till, 409, "insufficient_points"),
        (without_codes, 409, "limit_reached"),
        (without_budget, 409, "limit_reached"),
        (without_money, 409, "limit_reached"),
        (for_another_tier, 409, "not_eligible"),
        (not_for_points, 404, "not_found"),
        (switched_off, 409, "programme_inactive"),
        (programme_off, 409, "programme_inactive"),
        (used_up_by_one, 409, "customer_limit_reached"),
        (left_the_programme, 409, "not_eligible"),
        (promised_to_all, 409, "limit_reached"),
    ],
)
def test_what_cannot_be_had_takes_nothing(spoil, status, reason):
    who, till, reward = shop.member(500), shop.till(), coffee()
    Programme.load()
    spoil(who, reward)
    before = shop.dump(KEPT)

    response = till("till/rewards", wanted(who, reward))

    assert shop.refused(response, status)[1] == reason
    assert shop.dump(KEPT) == before


@db
@pytest.mark.parametrize(
    "spoil",
    [
        without_codes,
        without_budget,
        without_money,
        for_another_tier,
        not_for_points,
        switched_off,
        programme_off,
        used_up_by_one,
        promised_to_all,
    ],
)
def test_nothing_is_offered_that_would_be_refused(spoil):
    who, till, reward = shop.member(500, phone="+19785550177"), shop.till(), coffee()
    Programme.load()
    assert [each["reward"] for each in till.look_up(phone=who.phone).json()["offers"]] == [reward.pk]
    spoil(who, reward)
    assert till.look_up(phone=who.phone).json()["offers"] == []


@db
def test_who_has_left_the_programme_is_offered_nothing():
    who, till, reward = shop.member(500, phone="+19785550177"), shop.till(), coffee()
    assert [each["reward"] for each in till.look_up(phone=who.phone).json()["offers"]] == [reward.pk]
    left_the_programme(who, reward)
    assert till.look_up(phone=who.phone).json()["offers"] == []


@db
@pytest.mark.parametrize("_case", ["another reward", "another customer"])
def test_a_number_is_of_one_exchange(_case):
    who, other, till, reward = shop.member(1000), shop.member(1000), shop.till(), coffee()
    till("till/rewards", wanted(who, reward))
    before = shop.dump(KEPT)
    asked = wanted(who, coffee()) if _case == "another reward" else wanted(other, reward)
    before = shop.dump(KEPT)
    assert shop.refused(till("till/rewards", asked)) == ("X-1", "number_taken")
    assert shop.dump(KEPT) == before


@db
def test_given_back_the_points_are_in_their_lots_and_the_code_is_revoked():
    budget = Budget.objects.create(name="Coffee", unit="vouchers", amount=1, per_customer=1)
    who, till, reward = shop.member(300), shop.till(), coffee(budget=budget)
    ends = timezone.now() + timedelta(days=5)
    ledger.award(
        type(who).objects.filter(pk=who.pk),
        kind=Entry.Kind.BOOST,
        points=Value(400),
        key=Value("soon"),
        customer="pk",
        explanation=Value("Soon over"),
        now=timezone.now(),
        expires_at=ends,
    )
    lots = list(Lot.objects.order_by("pk").values_list("remaining", "expires_at"))
    code = till("till/rewards", wanted(who, reward)).json()["code"]
    assert shop.refused(till("till/rewards", wanted(who, reward, "X-2")))[1] == "insufficient_points"

    back = till("till/rewards/X-1/cancel", {})

    assert back.status_code == 200, back.content
    assert (back.json()["status"], back.json()["code"]) == ("cancelled", code)
    assert back.json()["balance_after"] == {"active": 700, "pending": 0}
    assert list(Lot.objects.order_by("pk").values_list("remaining", "expires_at")) == lots
    assert stands(who) == (700, ["revoked"])
    assert set(Spending.objects.values_list("used", flat=True)) == {Decimal(0)}
    assert ledger.verify() == []
    before = shop.dump(KEPT)
    assert till("till/rewards/X-1/cancel", {}).json() == back.json()
    assert shop.refused(till("till/rewards", wanted(who, reward))) == ("X-1", "order_closed")
    assert shop.dump(KEPT) == before
    assert till("till/rewards", wanted(who, reward, "X-2")).status_code == 200
    assert ledger.verify() == []


@db
@pytest.mark.parametrize(
    ("_case", "reason"),
    [("used", "already_redeemed"), ("held", "locked_by_other_till"), ("over", "expired"), ("revoked", "revoked")],
)
def test_what_is_not_unused_any_more_is_not_given_back(_case, reason):
    who, till, reward = shop.member(500), shop.till(), coffee()
    code = till("till/rewards", wanted(who, reward)).json()["code"]
    if _case == "used":
        sale = {"external_id": "R-1", "customer": who.pk, "bill": shop.bill("40.00"), "codes": [code]}
        assert till("till/orders", sale).status_code == 200
    elif _case == "held":
        assert till("till/holds", {"external_id": "H-1", "customer": who.pk, "voucher": code}).status_code == 200
    elif _case == "over":
        Voucher.objects.update(expires_at=timezone.now())
    else:
        Voucher.objects.update(state="revoked")
    before = shop.dump(KEPT)
    assert shop.refused(till("till/rewards/X-1/cancel", {})) == (code, reason)
    assert shop.dump(KEPT) == before


@db
def test_only_the_source_that_took_it_gives_it_back():
    who, reward = shop.member(500), coffee()
    assert shop.till(source="pos")("till/rewards", wanted(who, reward)).status_code == 200
    assert shop.refused(shop.till(source="web")("till/rewards/X-1/cancel", {}), 404) == ("X-1", "not_found")
    assert stands(who) == (0, ["issued"])


@db
def test_whom_the_customer_turned_out_to_be_gets_the_points_back():
    who, kept, till, reward = shop.member(500), shop.member(), shop.till(), coffee()
    first = till("till/rewards", wanted(who, reward)).json()
    merge(kept, who, timezone.now())
    assert till("till/rewards", wanted(kept, reward)).json()["code"] == first["code"]
    back = till("till/rewards/X-1/cancel", {}).json()
    assert (back["customer"], back["balance_after"]["active"]) == (kept.pk, 500)
    assert ledger.verify() == []


@db
def test_a_code_of_a_pool_is_handed_out_and_the_next_finds_none():
    who, reward, now = shop.member(1000), coffee(makes_codes=False), timezone.now()
    pool = reward.pools.create(name="Printed")
    Voucher.objects.create(code="PRINTED1", discount=reward, pool=pool, state="free")
    assert exchange(reward.pk, "X-1", now, customer=who.pk).exchange.voucher.code == "PRINTED1"
    before = shop.dump()
    with pytest.raises(Refused, match="No code was left. No points were taken."):
        again(lambda: exchange(reward.pk, "X-2", now, customer=who.pk))
    assert (Account.objects.get().balance, Voucher.objects.get().state) == (500, "issued")
    assert shop.dump() == before


@db
def test_the_customer_is_told_of_both():
    who, reward, now = shop.member(500), coffee(), timezone.now()
    Programme.load()
    Programme.objects.update(notices="at_once")
    exchange(reward.pk, "X-1", now, customer=who.pk)
    cancel_exchange("X-1", now)
    notifying.send(now)
    told = [(each["points"], each["what"]) for each in Message.objects.get(customer=who).values["movements"]]
    assert told[-2:] == [("-500", "500 points for Free coffee"), ("+500", "Free coffee was given back")]


@db
def test_the_statements_do_not_depend_on_what_the_customer_has():
    seen = []
    for number in (1, 20):
        who, reward, now = shop.member(500), coffee(), timezone.now()
        for each in range(number):
            shop.code(f"OTHER-{number}-{each}", shop.off(), customer=who)
        exchange(reward.pk, f"W-{number}", now, customer=who.pk)  # what is read once for all is read
        cancel_exchange(f"W-{number}", now)
        with CaptureQueriesContext(connection) as taking:
            exchange(reward.pk, f"X-{number}", now, customer=who.pk)
        with CaptureQueriesContext(connection) as giving:
            cancel_exchange(f"X-{number}", now)
        seen.append((len(taking), len(giving)))
    assert seen[0] == seen[1]


@pytest.mark.django_db(transaction=True)
def test_one_of_twenty_tills_gets_a_reward_for_the_last_points(at_once):  # noqa: F811
    who, reward = shop.member(700), coffee()
    told = at_once([wanted(who, reward, f"X-{number}") for number in range(20)], "take", 1, path="/api/v1/till/rewards")
    assert sorted(status for status, _body in told) == [200] + [409] * 19, told
    assert {body["error"]["reason"] for status, body in told if status == 409} == {"insufficient_points"}
    assert stands(who) == (200, ["issued"])
    assert (Draw.objects.count(), Exchange.objects.count()) == (1, 1)
    assert ledger.verify() == []


@pytest.mark.django_db(transaction=True)
def test_one_of_twenty_customers_gets_the_last_that_may_be_used(at_once):  # noqa: F811
    people, reward = [shop.member(500) for _ in range(20)], coffee(uses_allowed=1)
    bodies = [wanted(who, reward, f"X-{who.pk}") for who in people]
    told = at_once(bodies, "last", 1, path="/api/v1/till/rewards")
    assert sorted(status for status, _body in told) == [200] + [409] * 19, told
    assert Account.objects.filter(balance=500).count() == 19
    assert Voucher.objects.count() == 1
    assert ledger.verify() == []
