from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import F, TextField, Value
from django.db.models.functions import Cast, Concat
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Customer, StoreSettings
from rewards import ledger
from rewards.models import Account, EarningRule, Entry, Lot, Programme
from rewards.values import PointsValues
from tests import factories

DAY = timedelta(days=1)
seen_after_commit = pytest.mark.django_db(transaction=True)


def give(now, points=100, prefix="gift"):
    """Points for every customer, under a key of their own."""
    return ledger.award(
        Customer.objects.all(),
        kind=Entry.Kind.BOOST,
        points=Value(points),
        key=Concat(Value(f"{prefix}:"), Cast("pk", TextField()), output_field=TextField()),
        customer="pk",
        explanation=Value("A gift"),
        now=now,
    )


def rule(now, **fields):
    return EarningRule.objects.create(**{"name": "Earn", "starts_at": now - 100 * DAY, **fields})


def member(now, **fields):
    return factories.customer(loyalty_joined_at=now - 50 * DAY, **fields)


@pytest.mark.django_db
def test_an_award_writes_entry_lot_balance_and_event_in_one_statement(now):
    who = factories.customer()
    StoreSettings.load(), Programme.load()
    with CaptureQueriesContext(connection) as captured:
        assert give(now) == 1

    assert [query["sql"].split()[0] for query in captured] == ["SELECT", "SELECT", "WITH"]
    entry = Entry.objects.get()
    assert (entry.customer, entry.points, entry.kind, entry.occurred_at) == (who, 100, "boost", now)
    assert (entry.key, entry.explanation, entry.rule, entry.order) == (f"gift:{who.pk}", "A gift", {}, None)
    assert Lot.objects.values_list("entry", "customer", "points", "remaining", "earned_at", "expires_at").get() == (
        (entry.pk, who.pk, 100, 100, now, None)
    )
    assert (Account.objects.get().balance, Account.objects.get().updated_at) == (100, now)
    event = who.events.get()
    assert (event.name, event.key, event.occurred_at) == ("points_given", f"points_given:{entry.pk}", now)


@pytest.mark.django_db
def test_the_same_key_counts_once_and_another_adds_up(now):
    factories.customer()
    assert [give(now), give(now), give(now, 20, "second")] == [1, 0, 1]
    assert Account.objects.get().balance == 120
    assert Entry.objects.count() == Lot.objects.count() == 2


@seen_after_commit
def test_a_members_purchase_earns_points(now):
    earning = rule(now)
    who = member(now)
    order = factories.order(who, now - DAY, "30.95")

    assert ledger.settle(now) == {"earned": 1}
    assert ledger.settle(now) == {"earned": 0}

    entry = Entry.objects.get()
    assert (entry.points, entry.kind, entry.order, entry.occurred_at) == (30, "earn", order, now - DAY)
    assert (entry.key, entry.explanation) == (
        f"earn:{earning.pk}:{order.pk}",
        "1 point per $1 on $30.95 net = 30",
    )
    assert entry.rule == {"rule": earning.pk, "name": "Earn", "points_per_unit": "1.000"}
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
    ledger.settle(now)
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
    assert ledger.settle(now) == {"earned": int(earns)}


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
    assert ledger.settle(now) == {"earned": int(earns)}


@seen_after_commit
def test_what_does_not_earn(now):
    rule(now, is_active=False)
    who = member(now)
    factories.order(who, now - DAY)
    assert ledger.settle(now) == {"earned": 0}

    EarningRule.objects.update(is_active=True)
    factories.order(who, now - DAY, cancelled_at=now - timedelta(hours=1))
    factories.order(who, now - DAY, completed_at=None)
    assert ledger.settle(now) == {"earned": 0}
    assert Entry.objects.count() == 0


@seen_after_commit
def test_orders_of_an_absurd_amount_do_not_keep_the_others_from_earning(now):
    who, other = member(now), member(now)
    rule(now, points_per_unit=Decimal("99999.999"))
    for _ in range(2):
        factories.order(who, now - DAY, "9999999999.99")
    factories.order(other, now - DAY, "1.00")

    assert ledger.settle(now) == {"earned": 3}

    assert Account.objects.get(customer=other).balance == 99_999
    assert Account.objects.get(customer=who).balance == 2 * 999_999_989_999_000
    assert ledger.verify() == []


@seen_after_commit
def test_a_purchase_earns_when_its_return_window_is_over_for_what_was_kept(now):
    StoreSettings.objects.update_or_create(pk=1, defaults={"return_window_days": 14})
    rule(now)
    who = member(now)
    bought = now - timedelta(days=13)
    factories.order(who, bought, "30.95", refunded=Decimal("10.00"))
    factories.order(who, bought, "50.00", refunded=Decimal("50.00"), refunded_at=now)

    assert ledger.settle(now) == {"earned": 0}
    assert ledger.settle(now + DAY) == {"earned": 1}
    entry = Entry.objects.get()
    assert (entry.points, entry.occurred_at) == (20, bought + timedelta(days=14))


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
    ledger.settle(now)
    assert Entry.objects.get().explanation == sentence


@pytest.mark.django_db
def test_the_ledger_refuses_changes(now):
    who = factories.customer()
    give(now)
    entry = Entry.objects.get()
    entry.points = 1_000_000
    for attempt in (
        entry.save,
        entry.delete,
        Entry.objects.filter(customer=who).delete,
        lambda: Entry.objects.update(points=1_000_000),
    ):
        with pytest.raises(ValidationError, match="only added to"):
            attempt()
    assert Entry.objects.get().points == 100


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["UPDATE rewards_entry SET points = 5", "DELETE FROM rewards_entry"])
def test_the_database_refuses_changes_to_the_ledger(now, change):
    factories.customer()
    give(now)
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)
    assert Entry.objects.get().points == 100


@pytest.mark.django_db
def test_the_ledger_proves_itself(now, capsys):
    for _ in range(3):
        factories.customer()
    give(now)
    assert ledger.verify() == []
    call_command("verify_ledger")
    assert capsys.readouterr().out == "All 3 balances equal their entries and their lots.\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("_case", "model", "change", "problem"),
    [
        ("balance", Account, {"balance": 99}, "the balance is 99, the entries add up to 100 and 100 are left in lots."),
        (
            "lot",
            Lot,
            {"remaining": F("remaining") - 1},
            "the balance is 100, the entries add up to 100 and 99 are left in lots.",
        ),
    ],
)
def test_a_balance_that_does_not_add_up_is_named(now, _case, model, change, problem, capsys):
    factories.customer(first_name="Maria", last_name="Silva")
    give(now)
    model.objects.update(**change)
    assert ledger.verify() == [f"Maria Silva: {problem}"]
    with pytest.raises(CommandError, match="1 accounts do not add up."):
        call_command("verify_ledger")
    assert problem in capsys.readouterr().err


@pytest.mark.django_db
def test_points_in_messages(now):
    rich, poor = factories.customer(), factories.customer()
    ledger.award(
        Customer.objects.filter(pk=rich.pk),
        kind=Entry.Kind.BOOST,
        points=Value(1240),
        key=Value("gift"),
        customer="pk",
        explanation=Value("A gift"),
        now=now,
    )
    assert PointsValues().for_customers([rich.pk, poor.pk], now) == {
        rich.pk: {"balance": "1,240", "worth": "$62.00", "gift": "1,240", "gift_worth": "$62.00"},
        poor.pk: {"balance": "0", "worth": "$0.00"},
    }
