from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Customer, Refund
from rewards import standings
from rewards.models import Entry, Programme, Standing, Tier
from rewards.progress import progress, term_end, window_start
from tests import factories

from .ladder import DAY, earn, member, programme, tiers

seen_after_commit = pytest.mark.django_db(transaction=True)


def move(who, kind, points, at, order=None, reverses=None):
    """Points that leave the customer, and the event that says so."""
    made = Entry.objects.create(
        customer=who,
        kind=kind,
        points=-points,
        occurred_at=at,
        order=order,
        reverses=reverses,
        key=f"test:{Entry.objects.count()}",
        explanation="Gone",
    )
    happened(kind.event, who.pk, at, f"{kind.event}:{made.pk}", points=-points)
    return made


def tier_of(who):
    return Standing.objects.open().filter(customer=who).values_list("tier__name", flat=True).first()


def history(who):
    return list(Standing.objects.filter(customer=who).order_by("pk").values_list("tier__name", "reason"))


@seen_after_commit
def test_points_earned_bring_a_tier_at_once_and_spending_them_takes_nothing_away(now):
    tiers()
    who = member(now)
    earn(who, 500, now)
    assert standings.settle(now) == {"reached": 1}
    assert tier_of(who) == "Gold"

    move(who, Entry.Kind.REDEEM, 500, now + DAY)
    assert standings.settle(now + DAY) == {}
    assert history(who) == [("Gold", "reached")]
    event = who.events.named("tier_changed").get()
    assert (event.occurred_at, event.properties) == (now, {"tier": "Gold", "before": "", "reason": "reached"})


@seen_after_commit
@pytest.mark.parametrize(
    ("_case", "policy", "in_window", "grace", "days_after", "expected"),
    [
        ("down by one", "one_down", 300, 0, 0, "Silver"),
        ("down by one although less was earned", "one_down", 20, 0, 0, "Silver"),
        ("down to what was reached", "recompute", 20, 0, 0, "Bronze"),
        ("down to what was reached, which is one", "recompute", 300, 0, 0, "Silver"),
        ("kept by enough points", "one_down", 500, 0, 0, "Gold"),
        ("not before its end", "one_down", 20, 0, -1, "Gold"),
        ("not within the grace", "one_down", 300, 10, 9, "Gold"),
        ("after the grace", "one_down", 300, 10, 10, "Silver"),
    ],
)
def test_when_a_term_is_over(now, _case, policy, in_window, grace, days_after, expected):
    tiers()
    programme(tier_downgrade=policy, tier_grace_days=grace)
    who = member(now)
    earn(who, 500, now)
    standings.settle(now)
    end = Standing.objects.get().expires_at
    assert end.astimezone(now.tzinfo).isoformat() == "2027-12-01T00:00:00-05:00"
    earn(who, in_window, end - 30 * DAY)
    standings.settle(end - 30 * DAY)
    assert history(who) == [("Gold", "reached")]

    standings.settle(end + days_after * DAY)

    assert tier_of(who) == expected
    assert standings.settle(end + days_after * DAY) == {}


@seen_after_commit
def test_points_earned_in_the_grace_save_the_tier(now):
    tiers()
    programme(tier_grace_days=30)
    who = member(now)
    earn(who, 500, now)
    standings.settle(now)
    end = Standing.objects.get().expires_at
    assert standings.settle(end) == {}

    earn(who, 500, end + DAY)
    assert standings.settle(end + DAY) == {"renewed": 1}
    assert history(who) == [("Gold", "reached"), ("Gold", "renewed")]
    assert who.events.named("tier_changed").count() == 1


@seen_after_commit
@pytest.mark.parametrize(
    ("_case", "before", "after", "expected"),
    [
        ("back to what is reached without it", 300, 0, "Silver"),
        ("back to the lowest", 0, 0, "Bronze"),
        ("still reached by a later purchase", 300, 300, "Gold"),
    ],
)
def test_the_return_of_the_order_that_brought_a_tier(now, _case, before, after, expected):
    tiers()
    who = member(now)
    if before:
        earn(who, before, now - 2 * DAY, factories.order(who, now - 2 * DAY))
    standings.settle(now - 2 * DAY)
    order = factories.order(who, now, "500.00")
    earned = earn(who, 500, now, order)
    standings.settle(now)
    assert Standing.objects.open().get().order == order
    if after:
        earn(who, after, now + DAY, factories.order(who, now + DAY))

    move(who, Entry.Kind.REFUND_REVERSAL, 500, now + 2 * DAY, order, earned)
    standings.settle(now + 2 * DAY)

    assert tier_of(who) == expected
    if expected != "Gold":
        assert history(who)[-1] == (expected, "returned")


@seen_after_commit
def test_the_return_of_another_order_lowers_nothing_before_the_term_is_over(now):
    tiers()
    who = member(now)
    first, second = (factories.order(who, now - day * DAY, "300.00") for day in (2, 1))
    earned = earn(who, 300, now - 2 * DAY, first)
    standings.settle(now - 2 * DAY)
    earn(who, 300, now - DAY, second)
    standings.settle(now - DAY)
    move(who, Entry.Kind.REFUND_REVERSAL, 300, now, first, earned)

    assert standings.settle(now) == {}
    assert tier_of(who) == "Gold"


@seen_after_commit
def test_a_return_leads_back_to_a_tier_whose_own_term_is_not_over(now):
    """Silver was reached eleven months before with points that the window no longer holds."""
    tiers()
    programme(tier_months=3)
    who = member(now)
    earn(who, 250, now - 330 * DAY)
    standings.settle(now - 330 * DAY)
    ends = Standing.objects.get().expires_at
    order = factories.order(who, now, "500.00")
    earned = earn(who, 500, now, order)
    standings.settle(now)
    move(who, Entry.Kind.REFUND_REVERSAL, 500, now + DAY, order, earned)
    standings.settle(now + DAY)

    assert history(who) == [("Silver", "reached"), ("Gold", "reached"), ("Silver", "returned")]
    assert Standing.objects.open().get().expires_at == ends


@seen_after_commit
def test_money_spent_counts_less_what_was_paid_back(now):
    tiers()
    programme(tier_basis="spend")
    who = member(now)
    order = factories.order(who, now - DAY, "600.00")
    standings.settle(now - DAY)
    assert (tier_of(who), Standing.objects.get().order) == ("Gold", order)

    Refund.objects.create(order=order, amount=Decimal("300.00"), at=now)
    order.refunded = Decimal("300.00")
    order.save(update_fields=["refunded"])
    happened("order_refunded", who.pk, now, f"order_refunded:{order.pk}", order=order.pk, net="600.00")
    assert standings.settle(now) == {"returned": 1}
    assert tier_of(who) == "Silver"
    assert progress([who.pk], now)[who.pk].counted == 300


@seen_after_commit
@pytest.mark.parametrize(("counts", "expected"), [(False, "Bronze"), (True, "Gold")])
def test_gifts_count_only_if_the_programme_says_so(now, counts, expected):
    tiers()
    programme(tier_counts_gifts=counts)
    who = member(now)
    earn(who, 500, now, kind=Entry.Kind.BOOST)
    standings.settle(now)
    assert tier_of(who) == expected


@seen_after_commit
def test_a_tier_set_by_hand_is_kept_until_its_end(now):
    gold = tiers()
    who, boss = member(now), User.objects.create_user("dana")
    standings.settle(now)
    made = standings.set_by_hand(who, gold, note="Moved here with us", until=now + 10 * DAY, by=boss, now=now + DAY)
    Tier.objects.create(name="Platinum", threshold=1000)
    earn(who, 1000, now + 2 * DAY)

    assert standings.settle(now + 2 * DAY) == {}
    assert (tier_of(who), made.by, made.note) == ("Gold", boss, "Moved here with us")
    assert who.events.named("tier_changed").order_by("-pk")[0].properties == {
        "tier": "Gold",
        "before": "Bronze",
        "reason": "by_hand",
    }
    assert standings.settle(now + 10 * DAY) == {"reached": 1}
    assert tier_of(who) == "Platinum"


@seen_after_commit
def test_after_a_tier_set_by_hand_comes_what_was_reached(now):
    gold = tiers()
    who, boss = member(now), User.objects.create_user("dana")
    earn(who, 260, now)
    standings.settle(now)
    standings.set_by_hand(who, gold, note="A thank-you", until=now + 10 * DAY, by=boss, now=now + DAY)

    assert standings.settle(now + 10 * DAY) == {"lowered": 1}
    assert history(who) == [("Silver", "reached"), ("Gold", "by_hand"), ("Silver", "lowered")]


@seen_after_commit
def test_points_for_reaching_a_tier_are_given_once_ever(now):
    tiers(bonus_points=50)
    who = member(now)
    order = factories.order(who, now, "500.00")
    earned = earn(who, 500, now, order)
    standings.settle(now)
    move(who, Entry.Kind.REFUND_REVERSAL, 500, now + DAY, order, earned)
    standings.settle(now + DAY)
    earn(who, 500, now + 2 * DAY)
    standings.settle(now + 2 * DAY)

    assert history(who) == [("Gold", "reached"), ("Bronze", "returned"), ("Gold", "reached")]
    [bonus] = Entry.objects.filter(kind=Entry.Kind.TIER_BONUS)
    assert (bonus.points, bonus.explanation, bonus.occurred_at) == (50, "For reaching Gold", now)


@seen_after_commit
def test_who_leaves_the_programme_leaves_its_tiers_and_strangers_have_none(now):
    tiers()
    who, stranger = member(now), factories.customer()
    earn(stranger, 500, now)
    standings.settle(now)
    assert (tier_of(who), tier_of(stranger)) == ("Bronze", None)

    Customer.objects.filter(pk=who.pk).update(loyalty_left_at=now + DAY)
    happened("loyalty_left", who.pk, now + DAY, "left")
    assert standings.settle(now + DAY) == {"out": 1}
    assert tier_of(who) is None
    assert who.events.named("tier_changed").order_by("-pk")[0].properties == {
        "tier": "",
        "before": "Bronze",
        "reason": "left",
    }


@seen_after_commit
def test_a_threshold_that_is_lowered_moves_everybody_up_and_a_raised_one_nobody_down(now):
    gold = tiers()
    who = member(now)
    earn(who, 300, now)
    standings.settle(now)
    assert tier_of(who) == "Silver"

    Tier.objects.filter(pk=gold.pk).update(threshold=300)
    assert standings.settle(now + DAY) == {"reached": 1}
    Tier.objects.filter(pk=gold.pk).update(threshold=400)
    assert standings.settle(now + 2 * DAY) == {}
    assert tier_of(who) == "Gold"


@seen_after_commit
def test_under_the_calendar_year_the_year_that_ended_is_judged(now):
    tiers()
    programme(tier_window="year")
    kept, lost = member(now), member(now)
    for who in (kept, lost):
        earn(who, 500, now)
    standings.settle(now)
    end = Standing.objects.filter(customer=kept).get().expires_at
    assert end.astimezone(now.tzinfo).isoformat() == "2028-01-01T00:00:00-05:00"
    earn(kept, 500, end - 200 * DAY)
    earn(lost, 300, end - 200 * DAY)

    standings.settle(end - 200 * DAY)
    assert standings.settle(end) == {"renewed": 1, "lowered": 1}
    assert (tier_of(kept), tier_of(lost)) == ("Gold", "Silver")


@pytest.mark.django_db
def test_the_rolling_window_and_the_term_at_the_ends_of_months(now):
    rolling = Programme(tier_months=12, tier_validity_months=3)
    at = now.replace(year=2026, month=8, day=31)
    assert window_start(rolling, at).isoformat() == "2025-08-31T00:00:00-04:00"
    assert term_end(rolling, at).isoformat() == "2026-12-01T00:00:00-05:00"
    rolling.tier_lasts_to_month_end = False
    assert term_end(rolling, at).isoformat() == "2026-12-01T00:00:00-05:00"
    assert term_end(rolling, now).isoformat() == "2027-02-24T00:00:00-05:00"
    rolling.tier_months = 6
    assert window_start(rolling, at).isoformat() == "2026-02-28T00:00:00-05:00"


@seen_after_commit
def test_progress_says_what_is_missing(now):
    tiers()
    who, top, stranger = member(now), member(now), factories.customer()
    earn(who, 260, now)
    earn(top, 700, now)
    standings.settle(now)
    with CaptureQueriesContext(connection) as captured:
        found = progress([who.pk, top.pk, stranger.pk], now)

    assert len(captured) == 5
    assert (str(found[who.pk].tier), str(found[who.pk]), found[who.pk].missing) == (
        "Silver",
        "240 pts to Gold",
        Decimal(240),
    )
    assert (str(found[top.pk].tier), found[top.pk].next, found[top.pk].missing) == ("Gold", None, Decimal(0))
    assert (found[stranger.pk].tier, str(found[stranger.pk].next)) == (None, "Bronze")


@seen_after_commit
def test_the_number_of_statements_does_not_depend_on_the_number_of_customers(now):
    tiers(bonus_points=10)
    standings.settle(now - DAY)

    def statements(people, at):
        for _ in range(people):
            who = member(now)
            earn(who, 500, at, factories.order(who, at))
        with CaptureQueriesContext(connection) as captured:
            assert standings.settle(at) == {"reached": people}
        return len(captured)

    assert statements(2, now) == statements(40, now + DAY)
    assert Entry.objects.filter(kind=Entry.Kind.TIER_BONUS).count() == 42
