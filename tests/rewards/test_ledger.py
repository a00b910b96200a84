import re
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Value
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Customer, StoreSettings
from rewards import ledger
from rewards.models import Account, Entry, Lot, Programme
from rewards.values import PointsValues
from tests import factories

from .points import give_all

DAY = timedelta(days=1)


@pytest.mark.django_db
def test_an_award_writes_entry_lot_balance_and_event_in_one_statement(now):
    who = factories.customer()
    StoreSettings.load(), Programme.load()
    with CaptureQueriesContext(connection) as captured:
        assert give_all(now) == 1

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
    assert [give_all(now), give_all(now), give_all(now, 20, "second")] == [1, 0, 1]
    assert Account.objects.get().balance == 120
    assert Entry.objects.count() == Lot.objects.count() == 2


@pytest.mark.django_db
def test_the_ledger_refuses_changes(now):
    who = factories.customer()
    give_all(now)
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
    give_all(now)
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)
    assert Entry.objects.get().points == 100


@pytest.mark.django_db
def test_the_ledger_proves_itself(now, capsys):
    for _ in range(3):
        factories.customer()
    give_all(now)
    assert ledger.verify() == []
    call_command("verify_ledger")
    said = r"The ledger adds up: 3 entries of 3 customers, I1 to I9 hold \(proved in \d+\.\d s\)\.\n"
    assert re.fullmatch(said, capsys.readouterr().out)


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
    give_all(now)
    model.objects.update(**change)
    assert f"Maria Silva: {problem}" in ledger.verify()
    with pytest.raises(CommandError, match="found in the ledger."):
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
