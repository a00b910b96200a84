"""Segments about vouchers: who holds one, who redeemed some, whose is about to expire, to the very instant."""

from datetime import timedelta
from decimal import Decimal

import pytest

from loyaltyflow.store.models import Customer
from rewards import endings, redeeming
from rewards.bill import Off
from rewards.claims import Claim
from rewards.conditions import HoldsVoucher, RedeemedVouchers, VoucherExpires
from rewards.models import Redemption, Voucher
from segments.comparisons.dates import midnight
from segments.models import Membership
from segments.refresh import refresh
from tests import factories
from tests.segments.tree import flips_at, grow, met_by, segment

from .vouching import discount, give

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


def voucher(who, at, code="A", **fields):
    return Voucher.objects.create(
        code=code, customer=who, assigned_at=at, **{"discount": fields.pop("of", None) or discount(), **fields}
    )


def use(held, at, who=None):
    """The voucher comes off an order of the customer's."""
    who = who or held.customer
    [made] = redeeming.used([(Claim(held.discount, held), Off())], factories.order(who, at), who.pk, at)
    return made


def anna():
    return factories.customer(first_name="Anna")


def redeemed(value, **fields):
    return RedeemedVouchers(value=Decimal(value), **fields)


def begin_of(now, days):
    """The midnight that begins the day so many days after today."""
    return midnight(now.date(), now.tzinfo, days)


@pytest.mark.parametrize(
    ("_case", "fields", "is_held"),
    [
        ("without an end", {}, True),
        ("its time begins now", {"valid_from": timedelta(0)}, True),
        ("its time begins in a moment", {"valid_from": MOMENT}, False),
        ("its time is over in a moment", {"expires_at": MOMENT}, True),
        ("its time is over now", {"expires_at": timedelta(0)}, False),
        ("revoked now", {"ended_at": timedelta(0)}, False),
        ("revoked a moment later", {"ended_at": MOMENT}, True),
        ("given now", {"assigned_at": timedelta(0)}, True),
        ("given a moment later", {"assigned_at": MOMENT}, False),
    ],
)
def test_a_voucher_is_held_from_the_first_moment_of_its_time_up_to_its_end(_case, fields, is_held, now):
    at = {"assigned_at": now - DAY, **{name: now + each for name, each in fields.items()}}
    Voucher.objects.create(code="A", customer=anna(), discount=discount(), **at)

    assert met_by(HoldsVoucher(), now) == ({"Anna"} if is_held else set())
    assert met_by(HoldsVoucher(operator="has_not"), now) == (set() if is_held else {"Anna"})


def test_holding_is_asked_of_one_discount_or_of_any(now):
    tea, coffee = discount(), discount()
    held = voucher(anna(), now - DAY, of=tea)
    factories.customer(first_name="Ben")

    assert met_by(HoldsVoucher(), now) == met_by(HoldsVoucher(discount=tea), now) == {"Anna"}
    assert met_by(HoldsVoucher(discount=coffee), now) == set()
    assert met_by(HoldsVoucher(operator="has_not", discount=coffee), now) == {"Anna", "Ben"}
    assert HoldsVoucher(discount=tea).seen(held.customer, now) == f"“{tea}” without an end"
    assert HoldsVoucher(discount=coffee).seen(held.customer, now) == "has none"


def test_a_past_moment_is_judged_by_what_was_known_then(now):
    who = anna()
    held = voucher(who, now - 9 * DAY)
    redeeming.undone([use(held, now - 6 * DAY)], now - 4 * DAY)
    endings.revoke(Voucher.objects.all(), "Given by mistake", now - 2 * DAY)

    ages = [10, 9, 7, 6, 5, 4, 3, 2, 0]
    assert [age for age in ages if met_by(HoldsVoucher(), now - age * DAY)] == [9, 7, 4, 3]
    assert [age for age in ages if met_by(redeemed(1), now - age * DAY)] == [6, 5]


def test_what_may_be_used_twice_is_held_until_its_second_use(now):
    held = voucher(anna(), now - 9 * DAY, uses_allowed=2)
    use(held, now - 3 * DAY)
    assert met_by(HoldsVoucher(), now - 3 * DAY) == {"Anna"}

    use(held, now - DAY)

    assert met_by(HoldsVoucher(), now - DAY - MOMENT) == {"Anna"}
    assert met_by(HoldsVoucher(), now - DAY) == set()
    assert met_by(redeemed(2, operator="is"), now) == {"Anna"}


def test_holding_may_change_when_the_time_of_one_begins_or_ends(now):
    who = anna()
    voucher(who, now - DAY, "A", expires_at=now + 5 * DAY)
    assert flips_at(HoldsVoucher(), who, now) == now + 5 * DAY

    voucher(who, now - DAY, "B", valid_from=now + 2 * DAY)
    assert flips_at(HoldsVoucher(), who, now) == now + 2 * DAY
    assert flips_at(HoldsVoucher(), who, now + 2 * DAY) == now + 5 * DAY
    assert flips_at(HoldsVoucher(), who, now + 5 * DAY) is None


@pytest.mark.parametrize(
    ("_case", "days", "ends", "is_near"),
    [
        ("today is its last day", 0, 1, True),
        ("tomorrow is its last day", 0, 2, False),
        ("the last day that counts", 7, 8, True),
        ("a day later", 7, 9, False),
    ],
)
def test_the_last_day_of_a_voucher_is_the_one_that_it_ends_with(_case, days, ends, is_near, now):
    who, end = anna(), begin_of(now, ends)
    voucher(who, now - DAY, expires_at=end)

    assert met_by(VoucherExpires(days=days), now) == ({"Anna"} if is_near else set())
    assert flips_at(VoucherExpires(days=days), who, now) == (end if is_near else begin_of(now, 1))


@pytest.mark.parametrize(("_case", "after", "is_near"), [("at midnight", 0, True), ("a moment after it", 1, False)])
def test_an_end_in_the_middle_of_a_day_makes_that_day_the_last(_case, after, is_near, now):
    voucher(anna(), now - DAY, expires_at=begin_of(now, 4) + after * MOMENT)

    assert met_by(VoucherExpires(days=3), now) == ({"Anna"} if is_near else set())
    assert met_by(VoucherExpires(days=4), now) == {"Anna"}


def test_a_voucher_comes_near_its_end_at_a_midnight_and_is_gone_at_its_end(now):
    who, end = anna(), begin_of(now, 15)
    voucher(who, now - DAY, expires_at=end)
    near = begin_of(now, 7)  # with day 14 as its last

    assert flips_at(VoucherExpires(), who, now) == near
    assert met_by(VoucherExpires(), (near - MOMENT).astimezone(now.tzinfo)) == set()
    assert met_by(VoucherExpires(), near.astimezone(now.tzinfo)) == {"Anna"}
    assert flips_at(VoucherExpires(), who, near.astimezone(now.tzinfo)) == end
    assert met_by(VoucherExpires(), (end - MOMENT).astimezone(now.tzinfo)) == {"Anna"}
    assert met_by(VoucherExpires(), end) == set()


def test_what_was_used_or_has_no_end_does_not_expire(now):
    who = anna()
    use(voucher(who, now - 2 * DAY, "A", expires_at=now + DAY), now - DAY)
    voucher(who, now - 2 * DAY, "B")

    assert met_by(VoucherExpires(), now) == set()
    assert met_by(VoucherExpires(), now - DAY - MOMENT) == {"Anna"}
    assert flips_at(VoucherExpires(), who, now) is None


@pytest.mark.parametrize(
    ("_case", "days", "is_in"), [("on the first day of the time", 30, True), ("a day too early", 31, False)]
)
@pytest.mark.parametrize("hour", [0, 23])
def test_redeeming_counts_by_days(_case, days, is_in, hour, now):
    who, at = anna(), now.replace(hour=hour, minute=0) - days * DAY
    use(voucher(who, at - DAY), at)
    asked = redeemed(1, window_days=30)

    assert met_by(asked, now) == ({"Anna"} if is_in else set())
    assert flips_at(asked, who, now) == (begin_of(now, 31 - days) if is_in else None)


def test_redeeming_is_counted_by_discount_and_by_who_redeemed(now):
    tea, who = discount(), anna()
    shared = Voucher.objects.create(code="EVERYBODY", discount=tea, uses_allowed=None)
    use(voucher(who, now - 2 * DAY, "A", of=tea), now - DAY)
    use(voucher(who, now - 2 * DAY, "B"), now - DAY)
    use(shared, now, who)
    use(shared, now, factories.customer(first_name="Ben"))
    order = factories.order(who, now)
    redeeming.used([(Claim(tea), Off())], order, who.pk, now)

    assert Redemption.objects.filter(customer=who).count() == 4
    assert met_by(redeemed(3, operator="is"), now) == {"Anna"}
    assert met_by(redeemed(2, operator="is", discount=tea), now) == {"Anna"}
    assert met_by(redeemed(1, operator="is", discount=tea), now) == {"Ben"}
    assert met_by(redeemed(0, operator="is"), now) == set()
    assert redeemed(1, discount=tea).seen(who, now) == f"2 vouchers, the last on Nov 23: “{tea}”"


@pytest.mark.django_db(transaction=True)
def test_members_follow_what_happens_to_vouchers(now):
    of, who = discount(valid_days=10), factories.customer()
    asked = {
        "held": grow(HoldsVoucher, discount=of),
        "used": grow(RedeemedVouchers, value=1, discount=of),
        "ends": grow(VoucherExpires, days=3),
    }
    for name, root in asked.items():
        segment(root, name)

    def of_which(at):
        refresh(at)
        return set(Membership.objects.open().filter(customer=who).values_list("segment__name", flat=True))

    assert of_which(now) == set()
    give(of, now + MOMENT)
    held = Voucher.objects.get()
    assert of_which(now + DAY) == {"held"}
    [used] = redeeming.used([(Claim(of, held), Off())], factories.order(who, now + DAY), who.pk, now + DAY)
    assert of_which(now + 2 * DAY) == {"used"}
    redeeming.undone([used], now + 2 * DAY)
    assert of_which(now + 3 * DAY) == {"held"}
    assert of_which(begin_of(now, 7) - MOMENT) == {"held"}
    assert of_which(begin_of(now, 7)) == {"held", "ends"}
    assert of_which(begin_of(now, 11) - MOMENT) == {"held", "ends"}
    assert of_which(begin_of(now, 11)) == set()

    give(of, begin_of(now, 12), "again")
    assert of_which(begin_of(now, 12)) == {"held"}
    endings.revoke(Voucher.objects.all(), "Given by mistake", begin_of(now, 13))
    assert of_which(begin_of(now, 13)) == set()
    assert Customer.objects.count() == 1


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (HoldsVoucher(), "have an unused voucher"),
        (HoldsVoucher(operator="has_not"), "have no unused voucher"),
        (redeemed(1, window_days=30), "redeemed at least 1 voucher in the past 30 days"),
        (redeemed(2, operator="between", upper=Decimal(3)), "redeemed between 2 and 3 vouchers"),
        (VoucherExpires(days=0), "have a voucher that expires today"),
        (VoucherExpires(days=3), "have a voucher that expires in the next 3 days"),
    ],
)
def test_questions_read_as_staff_say_them(asked, sentence):
    assert asked.summary() == sentence
