"""What the proof of the ledger finds, and when it is made."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import TextField, Value

from loyaltyflow.merging import merge
from loyaltyflow.only_added import guards
from loyaltyflow.store.models import Customer, StoreSettings
from rewards import ledger
from rewards.adjustments import adjust
from rewards.assigning import assign
from rewards.budgets import draw, drawn_from
from rewards.models import Account, Adjustment, AdjustmentReason, Budget, Discount, Draw, Entry, Lot, Proof, Spending
from rewards.redeeming import undone
from tests import factories

from .bills import discount, voucher
from .points import give
from .test_budgets import budget, take

DAY = timedelta(days=1)
# A credit that adds up in every way: entry, lot and balance.
FORGED = """
WITH made AS (
    INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, order_id, explanation)
    SELECT customer_id, '{kind}', {points}, now(), 'forged:{points}', (SELECT min(id) FROM store_order), 'Forged'
    FROM rewards_account ORDER BY customer_id LIMIT 1 RETURNING *
),
lot AS (
    INSERT INTO rewards_lot (entry_id, customer_id, points, remaining, earned_at, available_at)
    SELECT id, customer_id, points, points, now(), now() FROM made
)
UPDATE rewards_account SET balance = balance + made.points FROM made
WHERE rewards_account.customer_id = made.customer_id
"""
pytestmark = pytest.mark.django_db


def run(sql):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql)


@pytest.fixture
def spent(now):
    """Two customers with 100 points each, of which the first spent 30."""
    who, other = factories.customer(first_name="Maria", last_name="Silva"), factories.customer()
    factories.order(who, now)
    give(who, 100, "gift:1", now)
    give(other, 100, "gift:2", now)
    return ledger.redeem(who.pk, 30, key="till:1", explanation="Money off", now=now)


@pytest.mark.parametrize(
    ("_case", "change", "problem"),
    [
        (
            "more owed than the entries say",
            "UPDATE rewards_account SET owed = 5, balance = balance - 5 WHERE balance = 70",
            "Maria Silva: 5 points are owed, and the entries say 0.",
        ),
        (
            "a lot of which too much is left",
            "UPDATE rewards_lot SET remaining = 71 WHERE remaining = 70",
            "71 points left of 100, but 30 were drawn from it.",
        ),
        (
            "an entry without its draws",
            "ALTER TABLE rewards_draw DISABLE TRIGGER USER; DELETE FROM rewards_draw",
            "moves -30 points, its lot and draws 0.",
        ),
        (
            "a ledger that could be changed",
            "ALTER TABLE rewards_entry DISABLE TRIGGER USER",
            "The table rewards_entry can be changed",
        ),
        (
            "an audit that could be changed",
            "ALTER TABLE loyaltyflow_change DISABLE TRIGGER USER",
            "The table loyaltyflow_change can be changed",
        ),
        (
            "an audit that could be emptied",
            "DO $$ BEGIN EXECUTE (SELECT 'DROP TRIGGER ' || tgname || ' ON loyaltyflow_change' FROM pg_trigger"
            " WHERE tgrelid = 'loyaltyflow_change'::regclass AND tgname LIKE '%never_emptied%'); END $$",
            "The table loyaltyflow_change can be changed",
        ),
        (
            "a guard that looks away",
            "DO $$ BEGIN EXECUTE (SELECT 'CREATE OR REPLACE FUNCTION ' || tgfoid::regproc || '() RETURNS trigger"
            " LANGUAGE plpgsql AS $_$ BEGIN RETURN NEW; END $_$' FROM pg_trigger"
            " WHERE tgrelid = 'rewards_entry'::regclass AND tgname LIKE '%only_added%'); END $$",
            "The table rewards_entry can be changed",
        ),
        (
            "a change that nobody writes down",
            "ALTER TABLE rewards_adjustment DISABLE TRIGGER audit_rewards_adjustment_update",
            "What changes in the table rewards_adjustment is not written down",
        ),
        (
            "points that nobody sent",
            FORGED.format(kind="transfer_in", points=40),
            "Nobody sent the 40 points of entry",
        ),
        (
            "points given back that nobody had spent",
            FORGED.format(kind="redeem_reversal", points=40),
            "gave 40 points back that nobody had spent.",
        ),
        (
            "points that came by spending",
            FORGED.format(kind="redeem", points=40),
            "of the kind redeem moves 40 points: that is the wrong way.",
        ),
        (
            "an order that earned twice by no rule",
            FORGED.format(kind="earn", points=40) + ";" + FORGED.format(kind="earn", points=30),
            "earned points 2 times by rule ?.",
        ),
        (
            "points that came again and were never taken back",
            FORGED.format(kind="refund_reversal", points=40),
            "-40 points were taken back, and it brought 0.",
        ),
        (
            "points that were spent before their time",
            "UPDATE rewards_lot SET available_at = available_at + interval '1 day' WHERE remaining = 70",
            "spent points that could not be spent then",
        ),
        (
            "an account that is gone",
            "DELETE FROM rewards_account WHERE balance = 70",
            "has points entries but no account.",
        ),
    ],
)
def test_what_does_not_add_up_is_named(spent, _case, change, problem):
    assert ledger.verify() == []
    run(change)
    assert any(problem in found for found in ledger.verify()), ledger.verify()


def test_an_adjustment_moves_the_points_that_were_asked_for(now):
    reason, who = AdjustmentReason.objects.create(code="thanks", title="Thanks"), factories.customer(last_name="Silva")
    adjust(who.pk, 50, reason, "", None, "a", now)
    assert ledger.verify() == []
    Adjustment.objects.update(points=40)
    [problem] = ledger.verify()
    assert problem.startswith("Silva: the adjustment by hand was of 40 points, and entry ")


def test_what_is_only_added_to_is_known():
    assert {table for table, _trigger in guards()} == {"loyaltyflow_change", "rewards_draw", "rewards_entry"}
    assert len(guards()) == 6


@pytest.fixture
def drawn(now):
    """A budget of each unit, of which Maria had something: 80 points, a voucher, and $10.00 off a bill."""
    who = factories.customer()
    made = {unit: budget(100, unit=unit, period="month", name=unit) for unit in ("points", "vouchers", "money")}
    given = Discount.objects.get(pk=discount(budget=made["vouchers"]).pk)
    origin = Value("test", TextField())
    assert assign(Customer.objects.filter(pk=who.pk), given, origin=origin, customer="pk", now=now).new == 1
    take(now, who, voucher(discount(budget=made["money"]), uses_allowed=None))
    draw(made["points"], 80, who.pk, now)
    give(who, 80, "gift", now, rule=drawn_from(made["points"], now))
    return who


@pytest.mark.parametrize(
    ("_case", "change", "problems"),
    [
        (
            "points that nobody got",
            "UPDATE rewards_spending SET used = used + 5, allowed = 200 WHERE used = 80 AND customer_id IS NULL",
            ["The budget points from 2026-11-01: 85 are counted, and 80 were drawn from it."],
        ),
        (
            "a voucher that is not counted for its customer",
            "DELETE FROM rewards_spending WHERE used = 1 AND customer_id IS NOT NULL",
            ["The budget vouchers from 2026-11-01, for customer {who}: 0 are counted, and 1 were drawn from it."],
        ),
        (
            "money off of another month",
            "UPDATE rewards_redemption SET budget_period = '2026-10-01'",
            [
                "The budget money from 2026-10-01, for customer {who}: 0 are counted, and 10 were drawn from it.",
                "The budget money from 2026-10-01: 0 are counted, and 10 were drawn from it.",
                "The budget money from 2026-11-01, for customer {who}: 10 are counted, and 0 were drawn from it.",
                "The budget money from 2026-11-01: 10 are counted, and 0 were drawn from it.",
            ],
        ),
        (
            "more than was allowed",
            "UPDATE rewards_spending SET allowed = 79.50 WHERE used = 80 AND customer_id IS NULL",
            ["The budget points from 2026-11-01: 80 are counted, and no more than 79.5 were allowed."],
        ),
    ],
)
def test_budgets_count_what_was_drawn_from_them(drawn, _case, change, problems):
    assert ledger.verify() == []
    run(change)
    assert sorted(ledger.verify()) == sorted(each.format(who=drawn.pk) for each in problems)


def test_a_budget_that_allows_less_from_now_on_did_not_give_too_much(drawn, now):
    Budget.objects.update(amount=50)
    assert draw(Budget.objects.get(name="points"), 10, drawn.pk, now) == 0
    assert ledger.verify() == []


def test_what_two_had_of_a_budget_is_what_the_one_had_whom_they_turned_out_to_be(drawn, now):
    merge(factories.customer(), drawn, now)
    assert ledger.verify() == []


@pytest.mark.parametrize(("_case", "hour", "zone"), [("west", 6, "Etc/GMT+12"), ("east", 18, "Etc/GMT-12")])
def test_what_budgets_gave_counts_where_it_did_when_the_store_moves_to_another_time_zone(now, _case, hour, zone):
    who, of = factories.customer(), budget(100, unit="money", period="day")
    made = voucher(discount(budget=of), uses_allowed=None)
    then = now.replace(hour=hour)
    _result, uses = take(then, who, made)
    StoreSettings.objects.update(time_zone=zone)
    assert ledger.verify() == []
    take(then + timedelta(hours=12), who, made)
    undone(uses, then + DAY)
    assert ledger.verify() == []
    assert sum(Spending.objects.filter(customer=None).values_list("used", flat=True)) == 10


def test_the_ledger_is_proved_once_a_night_after_two(now):
    give(factories.customer(), 100, "gift", now)
    midnight = (now + DAY).replace(hour=0, minute=0)
    hours = [ledger.prove_nightly(midnight + timedelta(hours=hour))["proved"] for hour in (0, 1, 2, 3, 23, 24, 26)]
    assert hours == [0, 0, 1, 0, 0, 0, 1]
    proof = Proof.objects.latest()
    assert (proof.at, proof.entries, proof.accounts, proof.problems) == (midnight + timedelta(hours=26), 1, 1, [])


def test_a_proof_keeps_what_it_found(spent, now):
    Account.objects.filter(balance=70).update(balance=71)
    assert len(ledger.prove(now).problems) == 1
    assert "the balance is 71, the entries add up to 70 and 70 are left in lots." in Proof.objects.get().problems[0]
    assert (Entry.objects.count(), Lot.objects.count(), Draw.objects.count()) == (3, 2, 1)
