"""What is taken back of what a purchase earned, when it is returned."""

from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from django.db.models import JSONField, Value

from loyaltyflow import merging
from loyaltyflow.store.models import Refund
from rewards import earning, ledger
from rewards.models import Account, Entry, Lot, Multiplier, Programme
from rewards.rules.points_per_order import PointsPerOrder
from rewards.rules.points_per_spend import PointsPerSpend
from tests import factories
from tests.rewards.points import give, holds, left
from tests.rewards.purchases import DAY, member, only, refund, rule, taken, window

seen_after_commit = pytest.mark.django_db(transaction=True)


@pytest.mark.django_db
def test_a_refund_on_day_5_takes_the_waiting_points_and_no_others(now):
    window(14)
    rule(now)
    who = member(now)
    give(who, 40, "before", now - 20 * DAY)
    order = factories.order(who, now, "30.95")
    earning.earn(only(order), now)

    refund(order, "30.95", now + 5 * DAY)
    assert earning.reverse(only(order), now + 5 * DAY) == 1

    assert left(who) == [40, 0]
    assert Lot.objects.order_by("pk").last().state == Lot.State.CANCELLED
    assert holds(who) == (40, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("amounts", list(permutations(["1.00", "11.00", "9.90"])))
def test_partial_refunds_in_any_order_take_back_what_was_earned(now, amounts):
    rule(now, points_per_unit=Decimal(1), unit=Decimal(10))
    order = factories.order(member(now), now - DAY, "21.90")
    assert earning.earn(only(order), now) == 1
    assert Entry.objects.get().points == 2

    for amount in amounts:
        refund(order, amount, now)
        earning.reverse(only(order), now)
    assert taken(order) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["none", "deleted", "doubled", "off"])
def test_1_then_11_then_the_rest_of_21_90_take_0_1_and_2(now, change):
    spend = rule(now, points_per_unit=Decimal(1), unit=Decimal(10))
    order = factories.order(member(now), now - DAY, "21.90")
    earning.earn(only(order), now)
    PointsPerSpend.objects.filter(pk=spend.pk).update(
        **{"doubled": {"points_per_unit": 2}, "off": {"is_active": False}}.get(change, {})
    )
    if change == "deleted":
        spend.delete()

    so_far = []
    for amount in ("1.00", "11.00", "9.90"):
        refund(order, amount, now)
        earning.reverse(only(order), now)
        assert earning.reverse(only(order), now) == 0
        so_far.append(taken(order))

    assert so_far == [0, 1, 2]
    assert list(Entry.objects.order_by("pk").values_list("points", "explanation")) == [
        (2, "1 point per $10 on $21.90 net = 2"),
        (-1, f"$12.00 of $21.90 paid back for order {order.external_id}: 1 of 2 points taken back"),
        (-1, f"$21.90 of $21.90 paid back for order {order.external_id}: 2 of 2 points taken back"),
    ]


@pytest.mark.django_db
def test_a_refund_of_a_line_takes_that_lines_points(now):
    """Tea counts double, cake once: 20 + 10 points."""
    rule(now)
    Multiplier.objects.create(name="Tea twice", factor=2, categories=["Tea"])
    tea, cake = factories.product(category="Tea"), factories.product(category="Cake")
    order = factories.order(member(now), now - DAY, "20.00", tea, cake)
    earning.earn(only(order), now)
    assert Entry.objects.get().points == 30

    refund(order, "10.00", now, line=1)
    earning.reverse(only(order), now)
    assert taken(order) == 20
    refund(order, "5.00", now, line=2)
    earning.reverse(only(order), now)
    assert taken(order) == 25


@pytest.mark.django_db
def test_a_refund_of_a_line_that_earned_nothing_takes_nothing(now):
    rule(now, categories=["Tea"])
    tea, card = factories.product(category="Tea"), factories.product(earns_points=False)
    order = factories.order(member(now), now - DAY, "20.00", tea, card)
    earning.earn(only(order), now)
    assert Entry.objects.get().points == 10

    refund(order, "10.00", now, line=2)
    assert earning.reverse(only(order), now) == 0
    refund(order, "5.00", now, line=1)
    earning.reverse(only(order), now)
    assert taken(order) == 5


@pytest.mark.django_db
@pytest.mark.parametrize("moment", ["cancelled_at", "refunded_at"])
def test_an_order_that_is_undone_takes_back_what_each_rule_gave(now, moment):
    rule(now)
    PointsPerOrder.objects.create(name="Visit", points=50, starts_at=now - 9 * DAY)
    who = member(now)
    order = factories.order(who, now - DAY, "30.95")
    assert earning.earn(only(order), now) == 2
    only(order).update(**{moment: now})

    assert earning.reverse(only(order), now - timedelta(hours=1)) == 0
    assert earning.reverse(only(order), now) == 2
    assert earning.reverse(only(order), now) == 0
    assert taken(order) == 80
    assert holds(who) == (0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize(("shortfall", "balance", "owed"), [("owe", -30, 30), ("forgive", 0, 0)])
def test_points_that_were_spent_already_are_owed_or_forgiven(now, shortfall, balance, owed):
    Programme.load()
    Programme.objects.update(shortfall=shortfall)
    rule(now)
    who = member(now)
    order = factories.order(who, now - DAY, "30.95")
    earning.earn(only(order), now)
    ledger.redeem(who.pk, 30, key="spent", explanation="Spent", now=now)

    refund(order, "30.95", now)
    earning.reverse(only(order), now)
    assert holds(who) == (balance, owed)


@seen_after_commit
def test_what_was_paid_back_before_we_heard_of_the_purchase_does_not_stay(now):
    rule(now)
    who = member(now)
    order = factories.order(who, now - DAY, "30.95", refunded=Decimal("10.00"))
    assert earning.settle(now) == {"earned": 1, "welcomed": 0, "taken back": 1}
    assert (taken(order), holds(who)) == (10, (20, 0))


@pytest.mark.django_db
def test_an_entry_of_old_was_for_what_had_not_been_paid_back_by_then(now):
    who = member(now)
    order = factories.order(who, now - 20 * DAY, "100.00")
    refund(order, "50.00", now - 10 * DAY)
    at, old = now - 6 * DAY, {"rule": 1, "name": "Earn", "points_per_unit": "1.000"}
    ledger.award(
        only(order),
        kind=Entry.Kind.EARN,
        points=Value(50),
        key=Value(f"earn:1:{order.pk}"),
        customer="customer",
        explanation=Value("1 point per $1 on $50.00 net = 50"),
        now=at,
        order="pk",
        rule=Value(old, output_field=JSONField()),
    )

    assert earning.reverse(only(order), now) == 0
    refund(order, "10.00", now)
    earning.reverse(only(order), now)
    assert taken(order) == 10
    refund(order, "40.00", now)
    earning.reverse(only(order), now)
    assert taken(order) == 50


def corrected(order, amount, at):
    """As the intake tells that less was paid back."""
    Refund.objects.filter(order=order).delete()
    order.refunded, order.refunded_at = Decimal(0), None
    order.save(update_fields=["refunded", "refunded_at"])
    if Decimal(amount):
        refund(order, amount, at)


@pytest.mark.django_db
@pytest.mark.parametrize("told", [["21.90", "12.00", "1.00", "0.00"], ["12.00", "3.00", "21.90", "12.00"]])
def test_what_is_taken_is_always_that_of_what_is_paid_back_also_when_that_shrinks(now, told):
    """$21.90 at 1 point per $10 is 2 points; $1 takes 0 of them, $12 takes 1, all of it takes 2."""
    rule(now, points_per_unit=Decimal("0.1"))
    order = factories.order(member(now), now - DAY, "21.90")
    earning.earn(only(order), now)
    for amount in told:
        corrected(order, amount, now)
        earning.reverse(only(order), now)
        assert taken(order) == {"12.00": 1, "21.90": 2}.get(amount, 0)
        assert earning.reverse(only(order), now) == 0
        assert Account.objects.get().balance == 2 - taken(order)
        assert ledger.verify() == []
    assert Lot.objects.filter(state="active").count() == (1 if Account.objects.get().balance else 0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("_case", "shortfall", "spent", "owed", "left"),
    [
        ("nothing spent", "owe", 0, 0, 100),
        ("spent and owed", "owe", 40, 40, 60),
        ("spent and forgiven", "forgive", 40, 0, 60),
    ],
)
def test_a_refund_that_was_told_wrongly_leaves_everything_as_it_was(now, _case, shortfall, spent, owed, left):
    Programme.objects.update_or_create(pk=1, defaults={"shortfall": shortfall})
    rule(now)
    order = factories.order(member(now), now - DAY, "100.00")
    earning.earn(only(order), now)
    who = order.customer_id
    if spent:
        ledger.redeem(who, spent, key="spent", explanation="For tea", now=now)
    for turn in range(2):
        refund(order, "100.00", now)
        earning.reverse(only(order), now)
        account = Account.objects.get()
        assert (account.balance, account.owed, taken(order)) == (-owed, owed, 100)
        corrected(order, "10.00" if turn else "0.00", now)
        earning.reverse(only(order), now)
        account = Account.objects.get()
        assert (account.balance, account.owed, taken(order)) == (left - 10 * turn, 0, 10 * turn)
        assert ledger.verify() == []
        corrected(order, "0.00", now)
        earning.reverse(only(order), now)
    assert ledger.spendable([who], now)[who].spendable == left
    assert Entry.objects.filter(kind="refund_reversal", points__gt=0).count() == 3
    told = order.customer.events.named("points_given_back").order_by("pk").values_list("properties__points", flat=True)
    assert list(told) == [100, 90, 10]


@pytest.mark.django_db
def test_points_of_a_lot_that_expired_come_again_for_the_time_of_grace(now):
    Programme.objects.update_or_create(pk=1, defaults={"expiry": "months", "expiry_months": 1, "grace_days": 14})
    rule(now)
    order = factories.order(member(now), now - DAY, "100.00")
    earning.earn(only(order), now)
    refund(order, "100.00", now)
    earning.reverse(only(order), now)
    later = now + 90 * DAY

    corrected(order, "0.00", later)
    earning.reverse(only(order), later)

    lot = Lot.objects.get(remaining__gt=0)
    assert (lot.remaining, lot.expires_at) == (100, later + 14 * DAY)
    assert ledger.verify() == []


@pytest.mark.django_db
def test_a_correction_after_a_merge_is_the_kept_customers(now):
    rule(now)
    merged, kept = member(now), member(now)
    order = factories.order(merged, now - DAY, "100.00")
    earning.earn(only(order), now)
    refund(order, "100.00", now)
    earning.reverse(only(order), now)
    merging.merge(kept, merged, now)
    order.refresh_from_db()

    corrected(order, "0.00", now)
    earning.reverse(only(order), now)

    assert dict(Account.objects.values_list("pk", "balance")) == {merged.pk: 0, kept.pk: 100}
    assert ledger.spendable([kept.pk], now)[kept.pk].spendable == 100
    assert ledger.verify() == []


@pytest.mark.django_db
def test_points_that_wait_wait_again_after_a_correction(now):
    window(14)
    rule(now)
    order = factories.order(member(now), now - DAY, "100.00")
    earning.earn(only(order), now)
    refund(order, "100.00", now)
    earning.reverse(only(order), now)
    corrected(order, "0.00", now)
    earning.reverse(only(order), now)
    assert (Lot.objects.get().state, Lot.objects.get().remaining) == ("pending", 100)
    assert ledger.activate(now + 13 * DAY) == 1
