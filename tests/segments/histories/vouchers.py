"""Vouchers that customers get, use and lose."""

from datetime import datetime, timedelta
from random import Random

from loyaltyflow.store.models import Customer, Order
from rewards import endings, redeeming
from rewards.bill import Off
from rewards.claims import Claim
from rewards.conditions import HoldsVoucher, RedeemedVouchers, VoucherExpires
from rewards.models import Discount, Redemption, Voucher
from segments.comparisons.dates import midnight

from . import aimed_at, basics, furnishing, happening, numbers, some_moment, tell
from .world import makes

MICROSECOND = timedelta(microseconds=1)


@makes(Discount)
def discount(name: str) -> Discount:
    return Discount.objects.create(name=name, title=name, is_active=True)


@furnishing
def another_discount() -> None:
    if not Discount.objects.filter(name="Birthday gift").exists():
        discount("Birthday gift")


@happening
def get_voucher(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """Given at `at`; its time may begin later, and may have an end."""
    begins = chance.choice([None, None, None, at + timedelta(hours=chance.randrange(1, 80))])
    _give(chance, customer, min(at, now), _some_end(chance, at), valid_from=begins)


@happening
def redeem(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """A voucher of theirs, a code that everybody may use, or a discount without a code comes off a new order."""
    at = min(at, now)
    mine = Voucher.objects.filter(customer=customer).usable(at)
    held = chance.choice([*mine, *mine, _everybodys(), None])
    kind = held.discount if held else chance.choice(Discount.objects.order_by("pk"))
    basics.order(chance, customer, at, now)
    order = Order.objects.filter(customer=customer).latest("pk")
    redeeming.used([(Claim(kind, held), Off())], order, customer.pk, at)


@happening
def undo(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """One use is undone."""
    used = list(Redemption.objects.standing().filter(customer=customer).order_by("pk"))
    if used:
        one = chance.choice(used)
        redeeming.undone([one], max(min(at, now), one.redeemed_at))


@happening
def revoke(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    held = list(Voucher.objects.filter(customer=customer).order_by("pk"))
    if held:
        endings.revoke(Voucher.objects.filter(pk=chance.choice(held).pk), "Given by mistake", min(at, now))


@happening
def time_is_noted(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """What the tick does about vouchers whose time is over."""
    endings.expire(min(at, now))


@aimed_at(HoldsVoucher)
def get_one_that_is_asked_for(chance: Random, customer: Customer, condition: HoldsVoucher, now: datetime) -> None:
    _give(chance, customer, some_moment(chance, now), _some_end(chance, now), condition.discount)


@aimed_at(VoucherExpires)
def get_one_that_ends(chance: Random, customer: Customer, condition: VoucherExpires, now: datetime) -> None:
    """Around the last moment that counts."""
    edge = midnight(now.date(), now.tzinfo, condition.days + chance.choice([0, 1, 1, 1, 2]))
    end = edge + chance.choice([timedelta(0), MICROSECOND, -MICROSECOND, timedelta(hours=5)])
    _give(chance, customer, some_moment(chance, now), end, condition.discount)


@aimed_at(RedeemedVouchers)
def redeem_one(chance: Random, customer: Customer, condition: RedeemedVouchers, now: datetime) -> None:
    at = min(some_moment(chance, now), now)
    _give(chance, customer, at, None, condition.discount)
    redeem(chance, customer, at, now)


def _give(
    chance: Random,
    customer: Customer,
    at: datetime,
    expires_at: datetime | None,
    of: Discount | None = None,
    valid_from: datetime | None = None,
) -> None:
    made = Voucher.objects.create(
        code=f"HISTORY{next(numbers)}",
        discount=of or chance.choice(Discount.objects.order_by("pk")),
        customer=customer,
        assigned_at=at,
        valid_from=valid_from,
        expires_at=expires_at,
        uses_allowed=chance.choice([1, 1, 1, 2, None]),
    )
    tell("voucher_assigned", customer, at, voucher=made.pk, discount=made.discount_id)


def _some_end(chance: Random, at: datetime) -> datetime | None:
    """With the end of a day, like most vouchers, or at some hour."""
    days = chance.choice([0, 1, 3, 8, 30, 200])
    hour = at + timedelta(hours=chance.randrange(1, 400))
    return chance.choice(
        [None, midnight(at.date(), at.tzinfo, days + 1), midnight(at.date(), at.tzinfo, days + 1), hour]
    )


def _everybodys() -> Voucher:
    """A code that everybody may use as often as they like."""
    of = Discount.objects.earliest("pk")
    return Voucher.objects.get_or_create(code="EVERYBODY", defaults={"discount": of, "uses_allowed": None})[0]
