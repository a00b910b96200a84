"""What each verb of the ledger does to entries, lots, draws and balances."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Value

from loyaltyflow.store.models import Event
from rewards import ledger
from rewards.bill import Reason, Refused
from rewards.ledger import Points
from rewards.models import Draw, Entry, Hold, Lot, Programme
from tests import factories

from .points import give, holds, left, returned

DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


def moved(who):
    """The points of each of the customer's entries."""
    return list(Entry.objects.filter(customer=who).order_by("pk").values_list("kind", "points"))


def spend(who, points, key, now, **more):
    return ledger.redeem(who.pk, points, key=key, explanation="Money off", now=now, **more)


def test_what_expires_first_is_spent_first(now):
    """LOY-18: lots of 50 until March and 50 until June, 60 redeemed: none left of March, 40 of June."""
    who = factories.customer()
    give(who, 50, "june", now, expires_at=now + 200 * DAY)
    give(who, 50, "march", now, expires_at=now + 110 * DAY)

    spend(who, 60, "till:1", now)

    assert left(who) == [40, 0]
    assert list(Draw.objects.order_by("pk").values_list("points", flat=True)) == [50, 10]
    assert holds(who) == (40, 0)

    later = now + 200 * DAY
    assert [ledger.expire(later), ledger.expire(later)] == [1, 0]
    assert moved(who) == [("boost", 50), ("boost", 50), ("redeem", -60), ("expire", -40)]
    assert (holds(who), left(who)) == ((0, 0), [0, 0])
    states = Lot.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["expired", "spent"]
    expiry = Entry.objects.get(kind="expire")
    assert expiry.occurred_at == later
    assert Event.objects.get(name="points_expired").properties == {"points": -40}


def test_of_lots_that_expire_together_the_oldest_goes_first_and_what_never_expires_last(now):
    who = factories.customer()
    give(who, 10, "never", now - 9 * DAY, expires_at=None)
    give(who, 10, "young", now - 2 * DAY, expires_at=now + DAY)
    give(who, 10, "old", now - 3 * DAY, expires_at=now + DAY)
    spend(who, 15, "till:1", now)
    assert left(who) == [10, 5, 0]
    spend(who, 15, "till:2", now)
    assert (left(who), holds(who)) == ([0, 0, 0], (0, 0))


def test_the_same_key_spends_once(now):
    who = factories.customer()
    give(who, 100, "gift", now)
    assert spend(who, 80, "till:1", now) == spend(who, 80, "till:1", now)
    assert holds(who) == (20, 0)


def test_more_than_there_is_to_spend_is_refused_and_changes_nothing(now):
    who = factories.customer()
    give(who, 100, "gift", now)
    give(who, 40, "waits", now, available_at=now + DAY)
    give(who, 30, "gone", now - 2 * DAY, expires_at=now)
    Hold.objects.create(source="till", external_id="1", customer=who, points=25, expires_at=now + DAY)
    assert ledger.spendable([who.pk], now) == {who.pk: Points(active=100, pending=40, held=25)}

    with pytest.raises(Refused) as refused:
        spend(who, 76, "till:1", now)

    refusal = refused.value.refusal
    assert (refusal.reason, refusal.current) == (Reason.INSUFFICIENT_POINTS, {"spendable": 75, "pending": 40})
    assert refusal.detail == "76 points were asked for; there are 75 to spend, and 40 that wait."
    assert (holds(who), left(who), Draw.objects.count()) == ((170, 0), [100, 40, 30], 0)
    spend(who, 75, "till:1", now)
    assert holds(who) == (95, 0)


def test_a_tills_own_hold_does_not_stand_in_its_way(now):
    who = factories.customer()
    give(who, 100, "gift", now)
    hold = Hold.objects.create(source="till", external_id="1", customer=who, points=90, expires_at=now + DAY)
    with pytest.raises(Refused):
        spend(who, 90, "till:1", now)
    spend(who, 90, "till:1", now, hold=hold)
    assert holds(who) == (10, 0)


def test_points_wait_until_they_are_available(now):
    who = factories.customer()
    give(who, 100, "gift", now, available_at=now + 14 * DAY)
    with pytest.raises(Refused):
        spend(who, 1, "till:1", now + 13 * DAY)
    assert [ledger.activate(now + 13 * DAY), Lot.objects.get().state] == [0, "pending"]
    assert [ledger.activate(now + 14 * DAY), Lot.objects.get().state] == [1, "active"]
    assert ledger.activate(now + 14 * DAY) == 0
    assert Event.objects.get(name="points_available").properties == {"points": 100}
    spend(who, 100, "till:1", now + 14 * DAY)
    assert holds(who) == (0, 0)


def test_points_can_be_spent_in_time_though_the_tick_is_late(now):
    who = factories.customer()
    give(who, 100, "gift", now, available_at=now + DAY)
    spend(who, 40, "till:1", now + DAY)
    assert Lot.objects.get().state == "pending"
    spend(who, 60, "till:2", now + DAY)
    assert (Lot.objects.get().state, ledger.activate(now + DAY)) == ("spent", 0)


def test_what_was_redeemed_goes_back_where_it_came_from(now):
    who = factories.customer()
    give(who, 50, "march", now, expires_at=now + 110 * DAY)
    give(who, 50, "june", now, expires_at=now + 200 * DAY)
    bought = spend(who, 60, "till:1", now)

    back = ledger.give_back(bought, key="back:1", now=now, points=20)
    assert (back.points, back.kind, back.reverses, left(who)) == (20, "redeem_reversal", bought, [10, 50])
    assert ledger.give_back(bought, key="back:1", now=now, points=20) == back
    assert ledger.give_back(bought, key="back:2", now=now).points == 40
    assert (left(who), holds(who)) == ([50, 50], (100, 0))
    assert set(Lot.objects.values_list("state", flat=True)) == {"active"}
    assert ledger.give_back(bought, key="back:3", now=now) is None
    assert holds(who) == (100, 0)


def test_what_expired_meanwhile_comes_back_for_the_days_of_grace(now):
    Programme.load()
    Programme.objects.update(grace_days=30)
    who = factories.customer()
    give(who, 50, "march", now, expires_at=now + 110 * DAY)
    give(who, 50, "june", now, expires_at=now + 200 * DAY)
    bought = spend(who, 60, "till:1", now)
    later = now + 150 * DAY

    assert ledger.give_back(bought, key="back", now=later).points == 60

    assert (left(who), holds(who)) == ([0, 50, 50], (100, 0))
    assert Lot.objects.last().expires_at == later + 30 * DAY
    assert ledger.expire(later + 30 * DAY) == 1
    assert (left(who), holds(who)) == ([0, 50, 0], (50, 0))


def test_a_return_takes_the_orders_own_points_then_the_newest(now):
    who = factories.customer()
    order, other = factories.order(who, now), factories.order(who, now)
    give(who, 30, "old", now - 9 * DAY)
    give(who, 20, "earn:own", now, order=Value(order.pk), kind=Entry.Kind.EARN, available_at=now + DAY)
    give(who, 20, "earn:other", now - DAY, order=Value(other.pk), kind=Entry.Kind.EARN)

    assert [returned(order, 5, "return:1", now), returned(order, 5, "return:1", now)] == [1, 0]
    assert left(who) == [30, 15, 20]
    ledger.activate(now + DAY)
    spend(who, 40, "till:1", now + DAY)
    assert left(who) == [0, 15, 10]
    assert returned(other, 20, "return:2", now + DAY) == 1
    assert (left(who), holds(who)) == ([0, 5, 0], (5, 0))
    assert list(Lot.objects.order_by("pk").values_list("state", flat=True)) == ["spent", "active", "cancelled"]


def test_what_a_return_cannot_take_is_owed_and_paid_by_what_comes_next(now):
    who = factories.customer()
    order = factories.order(who, now)
    give(who, 50, "earn:1", now, order=Value(order.pk), kind=Entry.Kind.EARN)
    spend(who, 40, "till:1", now)

    returned(order, 50, "return", now)
    assert (holds(who), left(who)) == ((-40, 40), [0])

    give(who, 15, "small", now)
    assert (holds(who), left(who)) == ((-25, 25), [0, 0])
    give(who, 100, "waits", now, available_at=now + DAY)
    assert (holds(who), left(who)) == ((75, 25), [0, 0, 100])
    assert ledger.spendable([who.pk], now + DAY)[who.pk].spendable == 75
    ledger.activate(now + DAY)
    assert (holds(who), left(who)) == ((75, 0), [0, 0, 75])


def test_what_is_given_back_pays_what_is_owed(now):
    who = factories.customer()
    order = factories.order(who, now)
    give(who, 50, "earn:1", now, order=Value(order.pk), kind=Entry.Kind.EARN)
    bought = spend(who, 40, "till:1", now)
    returned(order, 50, "return", now)
    assert ledger.give_back(bought, key="back", now=now).points == 40
    assert (holds(who), left(who)) == ((0, 0), [0])


def test_a_programme_may_forgive_what_a_return_cannot_take(now):
    Programme.load()
    Programme.objects.update(shortfall=Programme.Shortfall.FORGIVE)
    who = factories.customer()
    order = factories.order(who, now)
    give(who, 50, "earn:1", now, order=Value(order.pk), kind=Entry.Kind.EARN)
    spend(who, 40, "till:1", now)

    assert [returned(order, 50, "return", now), returned(order, 50, "return", now)] == [1, 0]

    assert moved(who) == [("earn", 50), ("redeem", -40), ("refund_reversal", -50), ("forgiven", 40)]
    assert (holds(who), left(who)) == ((0, 0), [0])
    give(who, 15, "next", now)
    assert holds(who) == (15, 0)


def test_points_go_to_another_customer_with_their_dates(now):
    """LOY-20: paired rows, the sum unchanged, the dates kept, both told."""
    giver, taker = factories.customer(), factories.customer()
    give(giver, 50, "march", now - 5 * DAY, expires_at=now + 110 * DAY)
    give(giver, 50, "june", now - 4 * DAY, expires_at=now + 200 * DAY)

    assert ledger.transfer(giver.pk, taker.pk, 60, key="move:1", now=now) == 60
    assert ledger.transfer(giver.pk, taker.pk, 60, key="move:1", now=now) == 0

    assert moved(giver)[2:] == [("transfer_out", -50), ("transfer_out", -10)]
    assert moved(taker) == [("transfer_in", 50), ("transfer_in", 10)]
    dates = Lot.objects.filter(customer=taker).order_by("pk").values_list("points", "earned_at", "expires_at")
    assert list(dates) == [(50, now - 5 * DAY, now + 110 * DAY), (10, now - 4 * DAY, now + 200 * DAY)]
    assert (holds(giver), holds(taker)) == ((40, 0), (60, 0))
    assert [entry.reverses.customer for entry in taker.entries.all()] == [giver, giver]
    assert [who.events.filter(name="points_transferred").count() for who in (giver, taker)] == [2, 2]
    with pytest.raises(Refused):
        ledger.transfer(giver.pk, taker.pk, 41, key="move:2", now=now)
    assert (holds(giver), holds(taker)) == ((40, 0), (60, 0))


def test_all_points_go_over_with_what_waits_and_what_is_owed(now):
    one, other = factories.customer(), factories.customer()
    order = factories.order(one, now)
    give(one, 50, "earn", now, order=Value(order.pk), kind=Entry.Kind.EARN)
    spend(one, 50, "till:1", now)
    returned(order, 30, "return", now)
    give(one, 10, "waits", now, available_at=now + DAY)
    give(other, 100, "gift", now)

    assert ledger.transfer(one.pk, other.pk, None, key="merge", now=now) == 10

    assert (holds(one), holds(other)) == ((0, 0), (80, 0))
    assert left(other) == [70, 10]
    assert Lot.objects.last().state == "pending"


@pytest.mark.parametrize("table", ["rewards_entry", "rewards_draw"])
@pytest.mark.parametrize("change", ["UPDATE {} SET points = 5", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_database_refuses_to_change_the_ledger(now, table, change):
    who = factories.customer()
    give(who, 50, "gift", now)
    spend(who, 20, "till:1", now)
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # A comment before it, because the tests' own way to empty tables begins with the word.
        cursor.execute("/* by hand */ " + change.format(table))
    assert (Entry.objects.count(), Draw.objects.count(), holds(who)) == (2, 1, (30, 0))


@pytest.mark.parametrize("change", [lambda rows: rows.update(points=5), lambda rows: rows.delete()])
def test_the_orm_cannot_change_what_was_drawn(now, change):
    who = factories.customer()
    give(who, 50, "gift", now)
    spend(who, 20, "till:1", now)
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic():
        change(Draw.objects.all())
    assert (Draw.objects.get().points, holds(who)) == (20, (30, 0))
