"""What the demo's staff and customers do with points, day by day, drawn from a fixed seed.

The retailer's files know nothing of points, so these few sales, refunds and adjustments are made up. They go through
the same verbs as at any till, and are numbered by their day, so that a second run finds them done.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat

from loyaltyflow.again import again
from loyaltyflow.store.intake import CUSTOMERS, Context, Intake
from loyaltyflow.store.models import Customer, Order, Product, StoreSettings
from loyaltyflow.till_page.sale import SOURCE
from rewards import adjustments, ledger, till
from rewards.assigning import assign
from rewards.bill import ZERO, Refused
from rewards.models import Account, AdjustmentReason, Discount, Voucher

from . import staff

SEED = 2018
SALES = 3  # a day
GIVEN = 12  # vouchers, each Monday
STEP = 100  # points
OFTEN = 0.6  # how many of those who have enough points use some
TILL = "Till 1"
REFUND_AFTER, CANCEL_AFTER = timedelta(days=3), timedelta(days=1)
# Day of the month → what is given or taken, why, and what staff note.
BY_HAND = {
    2: (50, "goodwill", "Waited long at the bakery"),
    6: (-40, "misuse", "Points of somebody else's receipt"),
    9: (120, "missing_purchase", "Receipt 4471, till was offline"),
    13: (200, "apology", "Delivered a day late"),
    16: (75, "goodwill", "Found a mistake on our web page"),
    20: (-60, "correction", "Given twice on the 13th"),
    24: (90, "missing_purchase", "Forgot the card, showed the receipt"),
    28: (150, "apology", "Cake was not ready"),
}
LARGE = (1_500, "goodwill", "Broke an arm on our wet floor")
UNWISE = (2_000, "goodwill", "Knows somebody at the head office")


def live(after: datetime, until: datetime, is_last: bool) -> None:
    """All that was done later than `after` and up to `until`; on the last day something is left to decide."""
    day = after.astimezone(until.tzinfo)
    chance = Random(f"{SEED} {day:%Y-%m-%d}")  # noqa: S311 - not a secret
    members = _who_have(STEP)
    if not members:
        return
    if day.weekday() == 0:
        _give_vouchers(chance.sample(members, min(GIVEN, len(members))), day)
    _sell_all(chance, members, day)
    _take_back(day)
    _adjust(chance, members, day)
    if is_last:
        _leave_to_decide(chance, members, day)


def _who_have(points: int) -> list[int]:
    """The customers with at least so many points, in the order of their numbers."""
    rich = Account.objects.filter(balance__gte=points, customer__merged_into=None).order_by("customer")
    return list(rich.values_list("customer", flat=True))


def _give_vouchers(customers: list[int], day: datetime) -> None:
    """A free coffee for each of these."""
    coffee = Discount.objects.non_polymorphic().filter(name="1st visit").first()
    if coffee is not None:
        origin = Concat(Value("demo:coffee:"), Cast("pk", TextField()), output_field=TextField())
        assign(Customer.objects.filter(pk__any=customers), coffee, origin=origin, customer="pk", now=day)


def _sell_all(chance: Random, members: list[int], day: datetime) -> None:
    """The day's sales; the first one to somebody with a voucher, if there is one."""
    with_voucher = Voucher.objects.filter(
        Voucher.lasts(day), state=Voucher.State.ISSUED, discount__name="1st visit"
    ).order_by("pk")
    codes = dict(with_voucher.values_list("customer", "code"))
    for number in range(SALES):
        own = number == 0 and codes
        customer = chance.choice(sorted(codes)) if own else chance.choice(members)
        at = day + timedelta(minutes=chance.randrange(10, 600))
        _sell(number, chance, customer, codes[customer] if own else "", day, at)


def _sell(number: int, chance: Random, customer: int, code: str, day: datetime, at: datetime) -> None:
    """One sale, with the voucher and points if they can be used on it."""
    goods = chance.sample(_goods(), 5) + ([_cup()] if code else [])
    items = [till.Item(sku, Decimal(1), price, name) for sku, name, price in goods]
    uses_points = chance.random() < OFTEN
    order = _number(day, number)
    if Order.objects.filter(source=SOURCE, external_id=order).exists():
        return
    have = ledger.spendable([customer], at)[customer].spendable
    most = min(have // STEP, chance.randrange(1, 4)) * STEP if uses_points else 0
    for codes, points in (((code,) if code else (), most), ((), 0)):
        asked = till.ask(
            items,
            at,
            customer=customer,
            codes=codes,
            points=points,
            store_location=_store(),
            source=SOURCE,
            till=TILL,
            by=staff.clerk(),
        )
        try:
            again(lambda asked=asked: till.commit(asked, order, at))  # type: ignore[misc]
        except Refused:
            continue
        return


def _number(day: datetime, number: int) -> str:
    return f"{day:%y%m%d}-{number:04}"


@cache
def _goods() -> list[tuple[str, str, Decimal]]:
    """What is bought: things of everyday prices."""
    sold = Product.objects.filter(is_active=True, price__range=(4, 12)).exclude(sku="CUP12").order_by("pk")
    return [(each.sku, each.name, each.price or ZERO) for each in sold[:400]]


@cache
def _cup() -> tuple[str, str, Decimal]:
    cup = Product.objects.get(sku="CUP12")
    return cup.sku, cup.name, cup.price or ZERO


@cache
def _store() -> str:
    """The first of the retailer's stores."""
    return Order.objects.exclude(store_location="").order_by("pk").values_list("store_location", flat=True)[0]


def _take_back(day: datetime) -> None:
    """Every fourth day something comes back, and every ninth a sale is undone the day after."""
    at = day + timedelta(hours=8)
    if day.day % 4 == 0:
        number = _number(day - REFUND_AFTER, 1)
        _if_there(number, lambda: till.refund(number, f"{number}-R", at, parts=[till.Part(2)], source=SOURCE))
    if day.day % 9 == 0:
        undone = _number(day - CANCEL_AFTER, 2)
        _if_there(undone, lambda: till.cancel(undone, at, source=SOURCE))


def _if_there(number: str, act: object) -> None:
    if callable(act) and Order.objects.filter(source=SOURCE, external_id=number, cancelled_at=None).exists():
        again(act)


def _adjust(chance: Random, members: list[int], day: datetime) -> None:
    if day.day in BY_HAND:
        _ask(chance.choice(members), BY_HAND[day.day], staff.clerk(), day + timedelta(hours=5))


def _ask(customer: int, what: tuple[int, str, str], by: User, at: datetime) -> adjustments.Adjustment | None:
    """The adjustment, once for each moment; None if the points to take are not there."""
    points, code, note = what
    reason = AdjustmentReason.objects.get(code=code)
    try:
        return again(lambda: adjustments.adjust(customer, points, reason, note, by, f"demo:{points}:{at:%y%m%d}", at))
    except Refused:
        return None


def _leave_to_decide(chance: Random, members: list[int], day: datetime) -> None:
    """What the store's people find on their desks: one adjustment decided each way, one to decide, and a twin."""
    one, other, third = chance.sample(members, 3)
    manager, at = staff.manager(), day + timedelta(hours=6)
    if granted := _ask(one, LARGE, staff.clerk(), at - timedelta(days=2)):
        adjustments.approve(granted, manager, at, "Of course")
    if unwise := _ask(other, UNWISE, staff.clerk(), at - timedelta(days=1)):
        adjustments.refuse(unwise, manager, at, "That is no reason")
    _ask(third, (1_200, "apology", "Lost her parcel, twice"), staff.clerk(), at)
    _join_again(day)


def _join_again(day: datetime) -> None:
    """A member who forgot that she is one joins again with another e-mail address, so that there are two of her."""
    known = Customer.objects.members(day).filter(birth_year__isnull=False, merged_into=None).order_by("pk")
    first = known.first()
    if first is None:
        return
    row = {
        "first_name": first.first_name,
        "last_name": first.last_name,
        "birthday": f"{first.birth_year}-{first.birth_month:02}-{first.birth_day:02}",
        "email": f"{first.first_name}.{first.last_name}@mail.example".lower(),
        "country": first.country,
        "postal_code": first.postal_code,
        "registered_at": day.isoformat(),
        "loyalty_joined_at": day.isoformat(),
    }
    with transaction.atomic():
        intake = Intake(CUSTOMERS, Context.of(StoreSettings.load(), day, SOURCE))
        intake.add([1], {column.name: [row.get(column.name, "")] for column in CUSTOMERS.columns})
        intake.merge()
    twin = Customer.objects.get(email=row["email"])
    _sell(SALES, Random(SEED), twin.pk, "", day, day + timedelta(hours=1))  # noqa: S311 - not a secret
