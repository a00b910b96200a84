from datetime import time, timedelta
from decimal import Decimal

import pytest

from loyaltyflow.store.models import Tag, Tagging
from rewards import checks
from rewards.bill import Refused
from rewards.discounts.amount_off_bill import AmountOffBill
from rewards.discounts.free_product import FreeProduct
from rewards.discounts.points_multiplier import PointsMultiplier
from rewards.models import Programme, Redemption, Standing, Tier, Voucher
from segments.conditions.has_tag import HasTag
from segments.models import Segment
from tests import factories

from .bills import amounts, bill, claimed, discount, line, voucher

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def asked(made, now, who=None, on=None):
    """What is off the bill by the voucher; or reason, sentence and state of the refusal, with nothing changed."""
    before = list(Voucher.objects.order_by("pk").values()), list(Redemption.objects.values())
    try:
        [claim] = claimed(made)
        return amounts(checks.checked(claim, on or bill(now, "50.00"), who and who.pk, now))
    except Refused as refused:
        return (str(refused.refusal.reason), refused.refusal.detail, dict(refused.refusal.current))
    finally:
        assert before == (list(Voucher.objects.order_by("pk").values()), list(Redemption.objects.values()))


def refused(made, now, who=None, on=None):
    """The reason and the sentence of the refusal."""
    return asked(made, now, who, on)[:2]


def test_a_voucher_for_a_first_order_is_refused_on_the_second(now):
    maria = factories.customer(first_name="Maria")
    made = voucher(discount(is_for_first_order=True), code="WELCOME10")

    assert asked(made, now, maria) == {1: "10.00"}
    factories.order(maria, now - DAY)
    assert asked(made, now, maria) == (
        "not_first_order",
        "It is for a first order only. Maria has 1 order.",
        {"orders": 1},
    )
    for _each in range(36):
        factories.order(maria, now - DAY)
    assert refused(made, now, maria)[1] == "It is for a first order only. Maria has 37 orders."


def test_the_order_of_the_bill_itself_and_those_that_came_to_nothing_do_not_count(now):
    maria = factories.customer()
    made = voucher(discount(is_for_first_order=True))
    factories.order(maria, now - 3 * DAY, cancelled_at=now - DAY)
    factories.order(maria, now - 3 * DAY, refunded="20.00", refunded_at=now - DAY)
    own = factories.order(maria, now)
    assert asked(made, now, maria, bill(now, "50.00", order=own.pk)) == {1: "10.00"}

    factories.order(maria, now, completed_at=None)
    assert refused(made, now, maria, bill(now, "50.00", order=own.pk))[0] == "not_first_order"


def test_a_free_product_needs_twenty_five_dollars_besides_itself(now):
    preroll = factories.product(name="Pre-roll")
    made = voucher(discount(FreeProduct, product=preroll, min_spend=Decimal(25)))
    free = line("8.00", product=preroll)

    assert asked(made, now, on=bill(now, "24.99", free)) == (
        "min_spend",
        "It needs $0.01 more on this bill.",
        {"missing": "0.01", "min_spend": "25.00", "spent": "24.99"},
    )
    assert asked(made, now, on=bill(now, "25.00", free)) == {2: "8.00"}


def test_a_bill_that_is_too_small_says_what_is_missing(now):
    made = voucher(discount(min_spend=Decimal(75)))
    assert refused(made, now, on=bill(now, "50.65")) == ("min_spend", "It needs $24.35 more on this bill.")
    assert asked(made, now, on=bill(now, "75.00")) == {1: "10.00"}


def test_a_voucher_is_not_for_the_order_that_brought_it(now):
    maria = factories.customer()
    order = factories.order(maria, now)
    made = voucher(customer=maria, order=order)

    assert refused(made, now, maria, bill(now, "50.00", order=order.pk)) == (
        "same_order",
        "It came with this very order and can be used from the next one on.",
    )
    assert asked(made, now, maria, bill(now, "50.00", order=factories.order(maria, now).pk)) == {1: "10.00"}
    assert asked(made, now, maria) == {1: "10.00"}
    at_once = voucher(discount(is_for_next_order=False), customer=maria, order=order)
    assert asked(at_once, now, maria, bill(now, "50.00", order=order.pk)) == {1: "10.00"}


def test_a_segment_is_asked_at_this_moment(now):
    regular = Tag.objects.create(name="regular")
    regulars = Segment.objects.create(name="Regulars", root=HasTag.objects.create(tag=regular), is_active=True)
    made = voucher(discount())
    made.discount.segments.add(regulars)
    maria = factories.customer(first_name="Maria")
    tag = Tagging.objects.create(customer=maria, tag=regular, added_at=now - DAY)
    assert asked(made, now, maria) == {1: "10.00"}

    tag.removed_at = now
    tag.save()
    assert refused(made, now, maria) == ("not_eligible", "It is for customers of the segment “Regulars” only.")
    assert refused(made, now) == ("not_eligible", "It is not for everybody. Look the customer up first.")


def test_one_of_several_segments_is_enough(now):
    made = voucher(discount())
    maria, by_hand = factories.customer(), [Segment.objects.create(name=name, kind="static") for name in "ABC"]
    made.discount.segments.add(*by_hand[:2])
    assert refused(made, now, maria) == ("not_eligible", "It is for customers of the segment “A” or “B” only.")
    by_hand[2].memberships.create(customer=maria, joined_at=now)
    assert refused(made, now, maria)[0] == "not_eligible"
    by_hand[1].memberships.create(customer=maria, joined_at=now)
    assert asked(made, now, maria) == {1: "10.00"}


def test_a_tier_is_asked_at_this_moment(now):
    silver, gold = (Tier.objects.create(name=name, threshold=at) for name, at in (("Silver", 100), ("Gold", 500)))
    maria = factories.customer()
    made = voucher(discount())
    made.discount.tiers.add(gold)
    assert refused(made, now, maria) == ("not_eligible", "It is for members of Gold only.")
    standing = Standing.objects.create(customer=maria, tier=gold, since=now - DAY, reason="reached")
    assert asked(made, now, maria) == {1: "10.00"}

    standing.until = now
    standing.save()
    Standing.objects.create(customer=maria, tier=silver, since=now, reason="lowered")
    assert refused(made, now, maria)[0] == "not_eligible"


def test_a_tier_with_early_access_is_let_in_before_the_start(now):
    early = Tier.objects.create(name="Gold", threshold=500, early_hours=48)
    maria, tom = factories.customer(), factories.customer()
    Standing.objects.create(customer=maria, tier=early, since=now - DAY, reason="reached")
    made = voucher(discount(starts_at=now + timedelta(hours=48)))

    assert asked(made, now, maria) == {1: "10.00"}
    assert asked(made, now, tom) == (
        "not_started",
        "It can be used from Nov 25, 2:14 pm on.",
        {"starts_at": "2026-11-25T19:14:00+00:00"},
    )
    assert refused(made, now - timedelta(seconds=1), maria)[0] == "not_started"


def test_a_voucher_ends_with_the_local_day(now):
    midnight = now.replace(hour=0, minute=0)
    made = voucher(expires_at=midnight + DAY)
    assert asked(made, midnight + DAY - timedelta(microseconds=1)) == {1: "10.00"}
    assert refused(made, midnight + DAY) == ("expired", "It could be used through Nov 23.")
    Voucher.objects.filter(pk=made.pk).update(state="expired", expires_at=midnight)
    assert refused(made, midnight - DAY) == ("expired", "It could be used through Nov 22.")


@pytest.mark.parametrize(
    ("_case", "fields", "reason", "said"),
    [
        ("off", {"is_active": False}, "programme_inactive", "It is switched off."),
        ("ended", {"ends_at": 0}, "expired", "It could be used until Nov 23, 2:14 pm."),
        ("not yet", {"starts_at": 60}, "not_started", "It can be used from Nov 23, 3:14 pm on."),
        ("elsewhere", {"stores": ["Boston", "Lynn"]}, "store_not_allowed", "It can be used at Boston or Lynn only."),
        (
            "another day",
            {"weekdays": [5, 2]},
            "time_not_allowed",
            "It can be used on Tuesday or Friday only.",
        ),
        (
            "another hour",
            {"weekdays": [1], "from_hour": time(16), "until_hour": time(18)},
            "time_not_allowed",
            "It can be used on Monday from 4:00 pm to 6:00 pm only.",
        ),
        (
            "other goods",
            {"categories": ["Tea", "Coffee"]},
            "product_not_in_bill",
            "It needs Tea or Coffee on this bill.",
        ),
        ("used up", {"uses_allowed": 2, "uses": 2}, "limit_reached", "It could be used twice in all, and has been."),
    ],
)
def test_a_discount_is_refused(now, _case, fields, reason, said):
    instants = {"starts_at", "ends_at"}
    fields = {key: now + timedelta(minutes=each) if key in instants else each for key, each in fields.items()}
    made = voucher(discount(**fields))
    assert refused(made, now, on=bill(now, "50.00", store_location="Salem")) == (reason, said)


@pytest.mark.parametrize(
    ("_case", "hours", "clock", "is_open"),
    [
        ("from", (time(16), None), "16:00", True),
        ("before", (time(16), None), "15:59", False),
        ("until", (None, time(11)), "10:59", True),
        ("the end is not in it", (None, time(11)), "11:00", False),
        ("the evening", (time(22), time(2)), "22:00", True),
        ("after midnight it is still Monday", (time(22), time(2)), "01:59 next", True),
        ("past its end", (time(22), time(2)), "02:00 next", False),
        ("after Sunday's midnight it is not Monday's", (time(22), time(2)), "01:00", False),
    ],
)
def test_hours_are_those_of_the_stores_clock(now, _case, hours, clock, is_open):
    made = discount(weekdays=[1], from_hour=hours[0], until_hour=hours[1])
    at, *next_day = clock.split()
    moment = now.replace(hour=int(at[:2]), minute=int(at[3:])) + len(next_day) * DAY
    assert made.is_open(moment) is is_open


def test_goods_that_are_needed_are_on_the_bill(now):
    beans = factories.product(name="Beans")
    made = voucher(discount(categories=["tea"]))
    made.discount.products.add(beans)
    assert asked(made, now, on=bill(now, "20.00", line("20.00", product=beans))) == {1: "5.00", 2: "5.00"}
    assert asked(made, now, on=bill(now, line("20.00", category="Tea"))) == {1: "10.00"}
    assert refused(made, now) == ("product_not_in_bill", "It needs Beans or tea on this bill.")


def test_nothing_goes_while_the_programme_is_off(now):
    made = voucher()
    Programme.load()
    Programme.objects.update(is_active=False)
    assert refused(made, now) == ("programme_inactive", "The loyalty programme is switched off.")


def test_points_are_for_known_customers(now):
    made = voucher(discount(PointsMultiplier, factor=2))
    assert refused(made, now)[0] == "not_eligible"
    assert asked(made, now, factories.customer()) == {}


def test_a_voucher_of_somebody_else_does_not_say_whose_it_is(now):
    aisha = factories.customer(first_name="Aisha")
    made = voucher(customer=aisha)
    assert refused(made, now, factories.customer()) == ("wrong_customer", "It belongs to another customer.")
    assert refused(made, now) == ("wrong_customer", "It belongs to one customer. Look the customer up first.")
    assert asked(made, now, aisha) == {1: "10.00"}


def test_who_used_a_voucher_is_told_to_themselves_only(now):
    aisha = factories.customer(first_name="Aisha")
    made = voucher(state="redeemed", uses=1)
    order = factories.order(aisha, now, external_id="10585")
    Redemption.objects.create(
        discount=made.discount,
        voucher=made,
        customer=aisha,
        order=order,
        amount=10,
        redeemed_at=now - timedelta(minutes=13),
        store_location="Salem",
        till="Till 1",
        is_single=True,
    )
    where = {"redeemed_at": "2026-11-23T19:01:00+00:00", "store_location": "Salem", "till": "Till 1"}
    assert asked(made, now, aisha) == (
        "already_redeemed",
        "It was used at Salem, Till 1 on Nov 23, 2:01 pm by Aisha, for order 10585.",
        {**where, "order": "10585"},
    )
    assert asked(made, now, factories.customer()) == (
        "already_redeemed",
        "It was used at Salem, Till 1 on Nov 23, 2:01 pm.",
        where,
    )


@pytest.mark.parametrize(
    ("_case", "fields", "reason", "said"),
    [
        ("revoked", {"state": "revoked", "note": "printed twice"}, "revoked", "It was taken back: printed twice."),
        ("replaced", {"state": "superseded"}, "superseded", "A newer voucher has taken its place."),
        ("not yet", {"valid_from": 1}, "not_started", "It can be used from Nov 24, 2:14 pm on."),
    ],
)
def test_a_voucher_is_refused(now, _case, fields, reason, said):
    fields = {key: now + each * DAY if key == "valid_from" else each for key, each in fields.items()}
    assert refused(voucher(**fields), now) == (reason, said)


def test_a_customer_uses_it_as_often_as_allowed(now):
    maria, tom = factories.customer(first_name="Maria"), factories.customer()
    made = voucher(discount(uses_per_customer=2), uses_allowed=None)
    use = {"discount": made.discount, "voucher": made, "customer": maria, "amount": 1, "redeemed_at": now}
    for _each in range(2):
        assert asked(made, now, maria) == {1: "10.00"}
        Redemption.objects.create(**use, order=factories.order(maria, now), is_single=False)
    Redemption.objects.create(**use, order=factories.order(maria, now), is_single=False, reversed_at=now)

    assert asked(made, now, maria) == (
        "customer_limit_reached",
        "Each customer can use it twice, and Maria has.",
        {"uses": 2, "allowed": 2},
    )
    assert asked(made, now, tom) == {1: "10.00"}
    Redemption.objects.filter(reversed_at=None).last().delete()
    assert asked(made, now, maria) == {1: "10.00"}


@pytest.mark.parametrize(
    ("_case", "first", "second", "is_together"),
    [("both do", True, True, True), ("this does not", True, False, False), ("the other does not", False, True, False)],
)
def test_discounts_go_together_only_if_all_of_them_do(now, _case, first, second, is_together):
    taken, wanted = (voucher(discount(combines=each)) for each in (first, second))
    [other], [claim] = claimed(taken), claimed(wanted)
    on = bill(now, "15.00")
    off = checks.checked(other, on, None, now)
    if is_together:
        assert amounts(checks.checked(claim, on, None, now, [(other, off)])) == {1: "5.00"}
        return
    with pytest.raises(Refused) as refusal:
        checks.checked(claim, on, None, now, [(other, off)])
    assert (refusal.value.refusal.code, refusal.value.refusal.reason) == (claim.code, "not_combinable")
    assert refusal.value.refusal.detail == f"It cannot be used together with {taken.code} on one bill."


def test_a_voucher_is_not_spent_on_a_bill_that_costs_nothing_any_more(now):
    first, second = (voucher(discount(combines=True)) for _each in range(2))
    [other], [claim] = claimed(first), claimed(second)
    on = bill(now, "10.00")
    off = checks.checked(other, on, None, now)
    with pytest.raises(Refused) as refusal:
        checks.checked(claim, on, None, now, [(other, off)])
    assert refusal.value.refusal.detail == f"There is nothing left to take it off after {first.code}."


def test_kinds_are_read_as_what_they_are(now):
    [claim] = claimed(voucher())
    assert type(claim.discount) is AmountOffBill
