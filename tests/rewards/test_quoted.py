"""What a bill would earn."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rewards import earning
from rewards.bill import Bill, Line
from rewards.models import Multiplier, Programme
from rewards.rules.points_per_order import PointsPerOrder
from rewards.rules.points_per_spend import PointsPerSpend
from rewards.rules.points_per_unit import PointsPerUnit
from segments.models import Membership, Segment
from tests import factories

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def who(now):
    return factories.customer(loyalty_joined_at=now - 50 * DAY)


def per_dollar(now, points="1", **fields):
    return PointsPerSpend.objects.create(
        **{"name": "Spend", "points_per_unit": Decimal(points), "starts_at": now - DAY, **fields}
    )


def bill(now, *lines):
    """Lines of (product or None, quantity, amount)."""
    made = [
        Line(
            number,
            each.sku if each else "?",
            each.pk if each else None,
            "",
            each.category if each else "",
            "",
            Decimal(units),
            Decimal(net),
        )
        for number, (each, units, net) in enumerate(lines, 1)
    ]
    return Bill(tuple(made), now)


def said(one, who, now, factor="1"):
    return [(points, why) for _, points, why in earning.quoted(one, who.pk, Decimal(factor), now)]


def inside(who, now, name="VIP"):
    segment = Segment.objects.create(name=name, kind=Segment.Kind.STATIC)
    Membership.objects.create(segment=segment, customer=who, joined_at=now - DAY)
    return segment


def times(factor, *segments, **fields):
    made = Multiplier.objects.create(**{"name": f"{factor} times", "factor": Decimal(factor), **fields})
    made.segments.set(segments)
    return made


def test_a_bill_of_30_95_at_1_a_dollar_earns_30(now, who):
    per_dollar(now)
    assert said(bill(now, (None, 1, "30.95")), who, now) == [(30, "1 point per $1 on $30.95 net = 30")]


def test_a_vip_earns_twice_and_only_the_total_is_rounded_down(now, who):
    per_dollar(now)
    times("2", inside(who, now))
    two_lines = bill(now, (None, 1, "15.50"), (None, 1, "15.45"))
    assert said(two_lines, who, now) == [(61, "2 × 1 point per $1 on $30.95 net = 61")]


def test_staff_earn_nothing_and_the_quote_says_why(now, who):
    per_dollar(now)
    times("2", inside(who, now))
    times("0", inside(who, now, "Staff"), name="No points for staff")
    assert said(bill(now, (None, 1, "30.95")), who, now) == [
        (0, "0 × 1 point per $1 on $30.95 net (No points for staff) = 0")
    ]


@pytest.mark.parametrize(
    ("_case", "policy", "factors", "points"),
    [
        ("the highest counts", "highest", ["2", "3"], 92),
        ("they are multiplied", "multiply", ["2", "3"], 185),
        ("one below 1 alone", "highest", ["0.5"], 15),
        ("none at all", "highest", [], 30),
        ("0 beats others", "highest", ["0", "3"], 0),
        ("0 when multiplied", "multiply", ["0", "3"], 0),
    ],
)
def test_several_multipliers(now, who, _case, policy, factors, points):
    Programme.load()
    Programme.objects.update(combination=policy)
    per_dollar(now)
    for factor in factors:
        times(factor)
    assert [points_ for points_, _ in said(bill(now, (None, 1, "30.95")), who, now)] == [points]


def test_a_vouchers_factor_is_one_of_the_multipliers(now, who):
    per_dollar(now)
    times("2")
    one = bill(now, (None, 1, "30.95"))
    assert said(one, who, now, "3") == [(92, "3 × 1 point per $1 on $30.95 net = 92")]
    Programme.objects.update(combination="multiply")
    assert said(one, who, now, "3") == [(185, "6 × 1 point per $1 on $30.95 net = 185")]


def test_a_multiplier_of_some_goods_multiplies_those(now, who):
    per_dollar(now)
    tea, cake = factories.product(category="Tea"), factories.product(category="Cake")
    times("2", categories=["Tea"])
    one = bill(now, (tea, 1, "10.50"), (cake, 1, "5.25"))
    assert said(one, who, now) == [(26, "2 × 1 point per $1 on $10.50 net + 1 point per $1 on $5.25 net = 26")]


def test_gift_cards_earn_nothing(now, who):
    per_dollar(now)
    PointsPerOrder.objects.create(name="Visit", points=5, starts_at=now - DAY)
    card, tea = factories.product(earns_points=False), factories.product()
    assert said(bill(now, (card, 1, "50.00")), who, now) == []
    assert [points for points, _ in said(bill(now, (card, 1, "50.00"), (tea, 1, "4.00")), who, now)] == [4, 5]


@pytest.mark.parametrize(
    ("_case", "minimum", "earns"), [("just enough", "25.00", True), ("not enough", "25.01", False), ("any", "0", True)]
)
def test_points_for_each_purchase(now, who, _case, minimum, earns):
    PointsPerOrder.objects.create(name="Visit", points=50, min_spend=Decimal(minimum), starts_at=now - DAY)
    expected = [(50, "50 points for the purchase = 50")] if earns else []
    assert said(bill(now, (None, 1, "15.00"), (None, 3, "10.00")), who, now) == expected


def test_points_for_each_unit_of_a_product_or_category(now, who):
    tea, green, cake = (factories.product(category=name) for name in ("Tea", "Green", "Cake"))
    rule = PointsPerUnit.objects.create(name="Tea", points=10, categories=["Green"], starts_at=now - DAY)
    rule.products.add(tea, green)
    one = bill(now, (tea, 2, "8.00"), (green, 1, "0.00"), (cake, 5, "9.00"))
    assert said(one, who, now) == [(30, "10 points for each of 3 units = 30")]


def test_points_for_what_is_spent_on_a_category(now, who):
    per_dollar(now, "3", categories=["Tea"], unit=Decimal(10))
    tea, cake = factories.product(category="Tea"), factories.product(category="Cake")
    assert said(bill(now, (tea, 1, "21.90"), (cake, 1, "90.00")), who, now) == [
        (6, "3 points per $10 on $21.90 net = 6")
    ]


@pytest.mark.parametrize(
    ("_case", "fields", "fits"),
    [
        ("that weekday", {"weekdays": [1]}, True),
        ("another weekday", {"weekdays": [2, 3]}, False),
        ("within the hours", {"from_hour": "14:00", "until_hour": "15:00"}, True),
        ("the hour has just begun", {"from_hour": "14:14"}, True),
        ("the hours are over", {"until_hour": "14:14"}, False),
        ("over midnight, before", {"from_hour": "14:00", "until_hour": "02:00"}, True),
        ("over midnight, outside", {"from_hour": "22:00", "until_hour": "02:00"}, False),
        ("begins now", {"starts_at": 0}, True),
        ("begins later", {"starts_at": 1}, False),
        ("ends now", {"ends_at": 0}, False),
        ("ends later", {"ends_at": 1}, True),
        ("off", {"is_active": False}, False),
    ],
)
def test_when_a_multiplier_counts(now, who, _case, fields, fits):
    """Monday, 2:14 pm on the store's clock."""
    per_dollar(now)
    moments = {name: now + value * DAY for name, value in fields.items() if name.endswith("_at")}
    times("2", **fields | moments)
    assert [points for points, _ in said(bill(now, (None, 1, "30.95")), who, now)] == [61 if fits else 30]


def test_hours_after_midnight_belong_to_the_evening_before(now, who):
    per_dollar(now)
    times("2", weekdays=[1], from_hour="22:00", until_hour="02:00")
    night = now.replace(hour=1) + DAY
    assert [points for points, _ in said(bill(night, (None, 1, "30.95")), who, night)] == [61]
    assert [points for points, _ in said(bill(night - DAY, (None, 1, "30.95")), who, night)] == [30]


def test_who_left_the_segment_earns_as_others(now, who):
    per_dollar(now)
    segment = inside(who, now)
    times("2", segment)
    Membership.objects.update(left_at=now)
    assert [points for points, _ in said(bill(now, (None, 1, "30.95")), who, now)] == [30]


def test_others_than_members_earn_nothing(now):
    per_dollar(now)
    one = bill(now, (None, 1, "30.95"))
    assert earning.quoted(one, None, Decimal(1), now) == []
    assert said(one, factories.customer(), now) == []
    assert said(one, factories.customer(loyalty_joined_at=now + DAY), now) == []
    assert said(one, factories.customer(loyalty_joined_at=now - 2 * DAY, loyalty_left_at=now - DAY), now) == []


def test_a_programme_that_is_off_gives_nothing(now, who):
    per_dollar(now)
    Programme.load()
    Programme.objects.update(is_active=False)
    assert said(bill(now, (None, 1, "30.95")), who, now) == []


def test_200_rules_take_as_many_statements_as_2(now, who):
    def statements(rules):
        goods = [factories.product(category=f"Group {number}") for number in range(5)]
        for number in range(rules):
            made = per_dollar(now, name=f"{rules} {number}", categories=[goods[number % 5].category])
            made.products.add(goods[0])
            times("1.5", name=f"Times {rules} {number}", categories=["Group 1"])
        one = bill(now, *((each, 1, "10.00") for each in goods))
        with CaptureQueriesContext(connection) as captured:
            assert len(said(one, who, now)) >= rules
        return len(captured)

    Programme.load()
    assert statements(2) == statements(200) == 3
