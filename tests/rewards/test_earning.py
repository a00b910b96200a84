"""What members earn by purchases, by events and by joining."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Customer, EventType, Order, StoreSettings
from rewards import earning, ledger
from rewards.bill import Bill, Line
from rewards.models import Account, EarningRule, Entry, Multiplier, Programme
from rewards.rules.points_per_event import PointsPerEvent
from rewards.rules.points_per_order import PointsPerOrder
from rewards.rules.points_per_spend import PointsPerSpend
from tests import factories
from tests.rewards.points import give
from tests.rewards.purchases import DAY, earned, member, only, rule, window

seen_after_commit = pytest.mark.django_db(transaction=True)


@seen_after_commit
def test_a_members_purchase_earns_points(now):
    spend = rule(now)
    who = member(now)
    order = factories.order(who, now - DAY, "30.95")

    assert earned(now) == 1
    assert earned(now) == 0

    entry = Entry.objects.get()
    assert (entry.points, entry.kind, entry.order, entry.occurred_at) == (30, "earn", order, now - DAY)
    assert (entry.key, entry.explanation) == (
        f"earn:{spend.pk}:{order.pk}",
        "1 point per $1 on $30.95 net = 30",
    )
    assert entry.rule == {
        "rule": spend.pk,
        "name": "Earn",
        "kind": "pointsperspend",
        "points": 1,
        "each": 1,
        "exact": 30.95,
        "parts": [{"factor": 1, "multipliers": [], "lines": {"0": [30.95, 30.95]}}],
    }
    assert who.account.balance == 30
    assert who.events.filter(name="points_earned").get().properties == {"points": 30}


@seen_after_commit
@pytest.mark.parametrize(
    ("_case", "net", "rate", "points"),
    [
        ("rounded down", "9.99", "1", [9]),
        ("less than a point", "0.99", "1", []),
        ("a free order", "0.00", "1", []),
        ("a part of a point a unit", "21.90", "0.1", [2]),
        ("several points a unit", "10.10", "2.5", [25]),
    ],
)
def test_how_many_points(now, _case, net, rate, points):
    rule(now, points_per_unit=Decimal(rate))
    factories.order(member(now), now - DAY, net)
    earning.settle(now)
    assert list(Entry.objects.values_list("points", flat=True)) == points


@seen_after_commit
@pytest.mark.parametrize(
    ("_case", "joined", "left", "earns"),
    [
        ("a member", -50, None, True),
        ("joined with the purchase", -1, None, True),
        ("joined later", 0, None, False),
        ("never joined", None, None, False),
        ("had left", -50, -2, False),
        ("left later", -50, 0, True),
    ],
)
def test_who_earns(now, _case, joined, left, earns):
    rule(now)
    days = {"loyalty_joined_at": joined, "loyalty_left_at": left}
    who = factories.customer(**{name: None if day is None else now + day * DAY for name, day in days.items()})
    factories.order(who, now - DAY)
    assert earned(now) == int(earns)


@seen_after_commit
@pytest.mark.parametrize(
    ("_case", "fields", "earns"),
    [
        ("begins with the purchase", {"starts_at": -1}, True),
        ("begins later", {"starts_at": 0}, False),
        ("ends with the purchase", {"starts_at": -9, "ends_at": -1}, False),
        ("ends later", {"starts_at": -9, "ends_at": 0}, True),
    ],
)
def test_when_a_rule_is_in_force(now, _case, fields, earns):
    rule(now, **{name: now + day * DAY for name, day in fields.items()})
    factories.order(member(now), now - DAY)
    assert earned(now) == int(earns)


@seen_after_commit
def test_what_does_not_earn(now):
    rule(now, is_active=False)
    who = member(now)
    factories.order(who, now - DAY)
    assert earned(now) == 0

    EarningRule.objects.update(is_active=True)
    factories.order(who, now - DAY, cancelled_at=now - timedelta(hours=1))
    factories.order(who, now - DAY, completed_at=None)
    assert earned(now) == 0
    assert Entry.objects.count() == 0


@seen_after_commit
def test_orders_of_an_absurd_amount_do_not_keep_the_others_from_earning(now):
    who, other = member(now), member(now)
    rule(now, points_per_unit=Decimal("99999.999"))
    for _ in range(2):
        factories.order(who, now - DAY, "9999999999.99")
    factories.order(other, now - DAY, "1.00")

    assert earned(now) == 3

    assert Account.objects.get(customer=other).balance == 99_999
    assert Account.objects.get(customer=who).balance == 2 * 999_999_989_999_000
    assert ledger.verify() == []


@seen_after_commit
@pytest.mark.parametrize(
    ("locale", "currency", "sentence"),
    [
        ("en_US", "USD", "2.5 points per $1 on $1,030.95 net = 2577"),
        ("de_DE", "EUR", "2,5 points per 1\xa0€ on 1.030,95\xa0€ net = 2577"),
        ("ja_JP", "JPY", "2.5 points per ￥1 on ￥1,031 net = 2577"),
    ],
)
def test_the_explanation_is_written_as_the_store_writes_money(now, locale, currency, sentence):
    StoreSettings.load()
    StoreSettings.objects.update(locale=locale, currency=currency)
    rule(now, points_per_unit=Decimal("2.5"))
    factories.order(member(now), now - DAY, "1030.95")
    earning.settle(now)
    assert Entry.objects.get().explanation == sentence


@seen_after_commit
def test_points_wait_for_the_end_of_the_return_window(now):
    window(14)
    rule(now)
    who = member(now)
    give(who, 40, "before", now - 20 * DAY)
    factories.order(who, now, "30.95")
    assert earned(now) == 1

    for day, spendable, pending in ((0, 40, 30), (13, 40, 30), (14, 70, 0)):
        points = ledger.spendable([who.pk], now + day * DAY)[who.pk]
        assert (points.spendable, points.pending) == (spendable, pending)


@pytest.mark.django_db
def test_a_quote_and_the_purchase_earn_the_same(now):
    rule(now, points_per_unit=Decimal("1.5"))
    Multiplier.objects.create(name="Tea twice", factor=2, categories=["Tea"])
    PointsPerOrder.objects.create(name="Visit", points=5, starts_at=now - 9 * DAY)
    tea, card = factories.product(category="Tea"), factories.product(earns_points=False)
    who = member(now)
    lines = [(tea, "10.33"), (card, "10.33"), (factories.product(), "10.33")]
    bill = Bill(
        tuple(
            Line(number, each.sku, each.pk, "", each.category, "", Decimal(1), Decimal(net))
            for number, (each, net) in enumerate(lines, 1)
        ),
        now,
    )
    quote = earning.quoted(bill, who.pk, Decimal(3), now)

    order = factories.order(who, now, "30.99", *(each for each, _ in lines))
    assert earning.earn(only(order), now, Decimal(3)) == 2
    made = Entry.objects.order_by("key").values_list("rule__rule", "points", "explanation")
    assert list(made) == [tuple(each) for each in quote]
    assert sum(each.points for each in quote) == 107


@pytest.mark.django_db
def test_a_discount_on_the_whole_order_is_spread_to_the_cent(now):
    rule(now)
    order = factories.order(member(now), now, "30.00", *(factories.product() for _ in range(3)))
    only(order).update(net=Decimal("20.00"))
    earning.earn(only(order), now)
    [part] = Entry.objects.get().rule["parts"]
    assert part["lines"] == {"1": [6.67, 6.67], "2": [6.66, 6.66], "3": [6.67, 6.67]}
    assert Entry.objects.get().points == 20


@pytest.mark.django_db
def test_a_change_of_the_rules_leaves_what_was_earned(now):
    spend = rule(now)
    order = factories.order(member(now), now, "30.95")
    earning.earn(only(order), now)
    PointsPerSpend.objects.update(points_per_unit=5)
    assert earning.earn(only(order), now) == 0
    assert list(Entry.objects.values_list("points", "rule__points", "rule__rule")) == [(30, 1, spend.pk)]


@seen_after_commit
@pytest.mark.parametrize(("before_joining", "points"), [(False, []), (True, [20])])
def test_joining_earns_nothing_for_earlier_purchases_unless_the_programme_says_so(now, before_joining, points):
    Programme.load()
    Programme.objects.update(earns_before_joining=before_joining)
    rule(now)
    who = factories.customer()
    factories.order(who, now - 2 * DAY)
    assert earned(now - DAY) == 0

    Customer.objects.update(loyalty_joined_at=now)
    happened("loyalty_joined", who.pk, now, f"loyalty_joined:{who.pk}")
    earning.settle(now)
    assert list(Entry.objects.values_list("points", flat=True)) == points


@seen_after_commit
def test_who_leaves_and_joins_again_is_welcomed_once(now):
    Programme.load()
    Programme.objects.update(welcome_points=100)
    who = factories.customer(loyalty_joined_at=now)
    happened("loyalty_joined", who.pk, now, f"loyalty_joined:{who.pk}:1")
    assert earning.settle(now) == {"earned": 0, "welcomed": 1, "taken back": 0}

    Customer.objects.update(loyalty_joined_at=now + 2 * DAY)
    happened("loyalty_joined", who.pk, now + 2 * DAY, f"loyalty_joined:{who.pk}:2")
    assert earning.settle(now + 2 * DAY) == {"earned": 0, "welcomed": 0, "taken back": 0}
    assert list(Entry.objects.values_list("kind", "points", "explanation")) == [
        ("welcome", 100, "Welcome to the programme")
    ]


def survey(now, **fields):
    kind = EventType.objects.get(name="survey_answered")
    return PointsPerEvent.objects.create(
        **{"name": "Survey", "points": 10, "event_type": kind, "starts_at": now - 9 * DAY, **fields}
    )


@seen_after_commit
@pytest.mark.parametrize(
    ("_case", "fields", "given"),
    [
        ("every time", {}, 4),
        ("once ever", {"times": 1}, 1),
        ("once a day", {"times": 1, "period": "day"}, 2),
        ("three times a week", {"times": 3, "period": "week"}, 3),
        ("with a good score", {"where": [{"property": "score", "operator": "at_least", "value": 3}]}, 2),
        ("off", {"is_active": False}, 0),
        ("later", {"starts_at": 1}, 0),
    ],
)
def test_points_for_events(now, _case, fields, given):
    """Two on Monday and two on Tuesday, of which the last comes with a later tick."""
    fields = fields | {name: now + 5 * value * DAY for name, value in fields.items() if name == "starts_at"}
    survey(now, **fields)
    stranger, who = factories.customer(), member(now)
    for number, hours in enumerate((1, 2, 25, 26), 1):
        at = now.replace(hour=9) + timedelta(hours=hours)
        for person in (stranger, who):
            happened("survey_answered", person.pk, at, f"{person.pk}:{number}", score=number, survey="Tea")
    first, second = now.replace(hour=9) + timedelta(hours=25), now + 2 * DAY

    assert earned(first) + earned(second) + earned(second) == given
    assert set(Entry.objects.values_list("customer", "points", "explanation")) <= {
        (who.pk, 10, "10 points for “Survey answered”")
    }


@seen_after_commit
def test_as_many_statements_for_many_orders_and_rules_as_for_few(now):
    def statements(orders, rules):
        for number in range(rules):
            rule(now, name=f"{orders} {number}")
            survey(now, name=f"{orders} survey {number}")
            Multiplier.objects.create(name=f"{orders} {number}", factor=2)
        for number in range(orders):
            who = member(now)
            factories.order(who, now, "20.00", factories.product(), refunded=Decimal("5.00"))
            happened("survey_answered", who.pk, now, f"{orders}:{number}", score=number)
        with CaptureQueriesContext(connection) as captured:
            assert earned(now) >= orders * rules * 2
        return len(captured)

    StoreSettings.load(), Programme.load()
    earning.settle(now - DAY)
    assert statements(2, 2) == statements(20, 40)


@pytest.mark.django_db
def test_no_tick_reads_all_orders(now):
    rule(now)
    factories.order(member(now), now, "20.00")
    with CaptureQueriesContext(connection) as queries:
        earning.settle(now)
    [earns] = [each["sql"] for each in queries if "INSERT INTO rewards_lot" in each["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN " + earns.replace("%", "%%"), [])
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "Seq Scan on store_order" not in plan, plan


@seen_after_commit
def test_no_orders_earn_nothing_and_lose_nothing(now):
    rule(now)
    assert earning.earn(Order.objects.none(), now) == 0
    assert earning.reverse(Order.objects.none(), now) == 0
