from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError

from loyaltyflow.store.models import Order
from segments.conditions.made_purchase import Count, MadePurchase
from segments.conditions.none_of import NoneOf
from tests import factories

from .tree import flips_at, grow, met_by

pytestmark = pytest.mark.django_db
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("_case", "operator", "count", "expected"),
    [
        ("at least 1", Count.AT_LEAST, 1, {"One", "Two", "Three"}),
        ("at least 2", Count.AT_LEAST, 2, {"Two", "Three"}),
        ("at most 0", Count.AT_MOST, 0, {"Zero"}),
        ("at most 2", Count.AT_MOST, 2, {"Zero", "One", "Two"}),
        ("exactly 0", Count.EXACTLY, 0, {"Zero"}),
        ("exactly 2", Count.EXACTLY, 2, {"Two"}),
        ("none", Count.NONE, 7, {"Zero"}),
    ],
)
@pytest.mark.parametrize("window_days", [None, 30])
def test_made_purchase_counts(_case, operator, count, expected, window_days, now):
    names = ["Zero", "One", "Two", "Three"]
    for number, name in enumerate(names):
        who = factories.customer(first_name=name)
        for day in range(number):
            factories.order(who, now - timedelta(days=day))
    condition = MadePurchase.objects.create(operator=operator, count=count, window_days=window_days)

    assert met_by(condition, now) == expected
    assert met_by(grow(NoneOf, condition), now) == {*names} - expected


@pytest.mark.parametrize("hour", [0, 12, 23])
@pytest.mark.parametrize(("days", "is_in"), [(0, True), (20, True), (21, True), (22, False)])
def test_a_window_counts_calendar_days_of_the_store(days, is_in, hour, now):
    who = factories.customer(first_name="Anna")
    factories.order(who, now.replace(hour=hour) - timedelta(days=days) if days else now)

    assert met_by(MadePurchase.objects.create(window_days=21), now) == ({"Anna"} if is_in else set())


@pytest.mark.parametrize(
    ("_case", "now", "first_in"),
    [
        ("clock went back", datetime(2026, 11, 5, 9, tzinfo=UTC), datetime(2026, 10, 29, 4, tzinfo=UTC)),
        ("clock went forward", datetime(2026, 3, 12, 9, tzinfo=UTC), datetime(2026, 3, 5, 5, tzinfo=UTC)),
        ("on the day of 25 hours", datetime(2026, 11, 1, 23, 59, tzinfo=UTC), datetime(2026, 10, 25, 4, tzinfo=UTC)),
    ],
)
def test_a_window_over_a_change_of_the_clock(_case, now, first_in):
    now = now.replace(tzinfo=NEW_YORK)
    inside, outside = factories.customer(first_name="Inside"), factories.customer(first_name="Outside")
    factories.order(inside, first_in)
    factories.order(outside, first_in - timedelta(seconds=1))
    condition = MadePurchase.objects.create(window_days=7)

    assert met_by(condition, now) == {"Inside"}
    due = flips_at(condition, inside, now)
    assert met_by(condition, (due - timedelta(seconds=1)).astimezone(NEW_YORK)) == {"Inside"}
    assert met_by(condition, due.astimezone(NEW_YORK)) == set()


@pytest.mark.parametrize(
    ("_case", "zone", "day"),
    [
        ("midnight comes twice", "America/Havana", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("midnight is skipped", "America/Havana", datetime(2026, 3, 8, 12, tzinfo=UTC)),
        ("the hour before midnight comes twice", "America/Asuncion", datetime(2024, 3, 24, 12, tzinfo=UTC)),
    ],
)
def test_a_window_ends_exactly_where_midnight_is_odd(_case, zone, day):
    last_moment = day.replace(tzinfo=ZoneInfo(zone)) - timedelta(days=3)
    who = factories.customer(first_name="Anna")
    factories.order(who, last_moment)
    condition = MadePurchase.objects.create(window_days=2)

    due = flips_at(condition, who, last_moment).astimezone(ZoneInfo(zone))

    assert due.date() == day.date()
    assert met_by(condition, (due.astimezone(UTC) - timedelta(microseconds=1)).astimezone(ZoneInfo(zone))) == {"Anna"}
    assert met_by(condition, due) == set()


@pytest.mark.parametrize(
    ("_case", "fields", "counts"),
    [
        ("not completed", {"completed_at": None}, False),
        ("completed later", {"completed_at": timedelta(hours=1)}, False),
        ("cancelled", {"cancelled_at": -timedelta(hours=1)}, False),
        ("cancelled later", {"cancelled_at": timedelta(hours=1)}, True),
        ("wholly refunded", {"refunded_at": -timedelta(hours=1), "refunded": 20}, False),
        ("wholly refunded later", {"refunded_at": timedelta(hours=1), "refunded": 20}, True),
        ("partly refunded", {"refunded": 5}, True),
    ],
)
def test_what_counts_as_a_purchase(_case, fields, counts, now):
    fields = {name: now + value if isinstance(value, timedelta) else value for name, value in fields.items()}
    factories.order(factories.customer(first_name="Anna"), now - timedelta(days=1), **fields)

    assert met_by(MadePurchase.objects.create(), now) == ({"Anna"} if counts else set())
    assert met_by(MadePurchase.objects.create(operator=Count.NONE), now) == (set() if counts else {"Anna"})


def test_purchases_of_a_product_or_a_category_are_orders_not_lines(now):
    decaf, filters = factories.product(category="Coffee"), factories.product(category="Tools")
    twice, once, other = (factories.customer(first_name=name) for name in ("Twice", "Once", "Other"))
    factories.order(twice, now, "20.00", decaf, filters)
    factories.order(twice, now - timedelta(days=1), "20.00", decaf)
    factories.order(once, now, "20.00", decaf, decaf)
    factories.order(other, now, "20.00", filters)

    assert met_by(MadePurchase.objects.create(product=decaf), now) == {"Twice", "Once"}
    assert met_by(MadePurchase.objects.create(product=decaf, count=2), now) == {"Twice"}
    assert met_by(MadePurchase.objects.create(category="Coffee", count=2), now) == {"Twice"}
    assert met_by(MadePurchase.objects.create(category="Coffee", operator=Count.NONE), now) == {"Other"}


@pytest.mark.parametrize(
    ("_case", "operator", "count", "days_until_flip"),
    [
        ("holds until the second last leaves", Count.AT_LEAST, 2, 4),
        ("does not hold and never will", Count.AT_LEAST, 4, None),
        ("none holds when the last leaves", Count.NONE, 0, 7),
        ("at most 2 holds when the third leaves", Count.AT_MOST, 2, 2),
        ("at most 3 holds for good", Count.AT_MOST, 3, None),
        ("exactly 3 until one leaves", Count.EXACTLY, 3, 2),
        ("exactly 2 from when one leaves", Count.EXACTLY, 2, 2),
    ],
)
def test_purchases_of_1_4_and_6_days_ago_flip_a_week(_case, operator, count, days_until_flip, now):
    who = factories.customer()
    for days in (1, 4, 6):
        factories.order(who, now - timedelta(days=days))
    condition = MadePurchase.objects.create(operator=operator, count=count, window_days=7)
    midnight = now.replace(hour=0, minute=0)

    expected = days_until_flip and midnight + timedelta(days=days_until_flip)
    assert flips_at(condition, who, now) == expected


@pytest.mark.parametrize(
    ("_case", "fields", "message"),
    [
        ("always true", {"count": 0}, "true of everybody"),
        ("no SKU", {"skus": " , "}, "names no SKU"),
        ("no code", {"discount": "code"}, "needs a code, such as SPRING10. None was given."),
        ("two sorts of time", {"window_days": 3, "since": date(2026, 1, 1)}, "More than one time was given"),
        ("wrong way round", {"since": date(2026, 2, 1), "until": date(2026, 1, 1)}, "write the earlier day first"),
    ],
)
def test_made_purchase_refuses(_case, fields, message):
    with pytest.raises(ValidationError, match=message):
        MadePurchase(**fields).full_clean()


def test_a_product_stands_alone():
    with pytest.raises(ValidationError, match="Leave either it or “brand” empty"):
        MadePurchase(product=factories.product(), brand="Hill").full_clean()


def test_what_the_shop_does_not_know_yet_is_warned_of_and_not_refused(now):
    known = factories.product(category="Coffee", brand="Hill")
    factories.order(factories.customer(), now, "20.00", known, channel="web", store_location="Salem")
    asked = {"category": "Cofee", "channel": "wep", "store_location": "Salem", "skus": f"{known.sku}, NO-1"}
    condition = MadePurchase(**asked)
    condition.full_clean(exclude=["condition_ptr"])

    assert condition.warnings() == [
        "No product has the category “Cofee” yet. Check its spelling.",
        "No order came through the channel “wep” yet. Check its spelling.",
        "No product has the SKU “NO-1” yet. Check its spelling.",
    ]
    assert {name: offer() for name, offer in MadePurchase.suggestions.items()} == {
        "category": ["Coffee"],
        "brand": ["Hill"],
        "channel": ["web"],
        "store_location": ["Salem"],
    }


def test_a_split_shipment_counts_once(now):
    who = factories.customer(first_name="Anna")
    tea, mug = factories.product(), factories.product()
    factories.order(who, now, "20.00", tea, mug, tea, shipped_at=now)

    assert met_by(MadePurchase(count=1), now) == {"Anna"}
    assert met_by(MadePurchase(count=2), now) == set()
    assert met_by(MadePurchase(count=2, skus=f"{tea.sku}, {mug.sku}"), now) == set()


def test_a_past_day_is_judged_by_what_was_known_then(now):
    who = factories.customer(first_name="Anna")
    factories.order(who, now - timedelta(days=30), refunded_at=now - timedelta(days=10), refunded=20)
    factories.order(who, now - timedelta(days=2))
    condition = MadePurchase.objects.create(window_days=21)

    answers = {days: bool(met_by(condition, now - timedelta(days=days))) for days in (31, 30, 20, 10, 3, 2, 0)}

    assert answers == {31: False, 30: True, 20: True, 10: False, 3: False, 2: True, 0: True}
    assert Order.objects.count() == 2
