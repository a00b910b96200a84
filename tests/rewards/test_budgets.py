from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rewards.bill import Refused
from rewards.budgets import Wish, draw, draw_each, give_back, left
from rewards.combining import judged
from rewards.models import Budget, Redemption, Spending
from rewards.redeeming import undone, used
from tests import factories
from tests.side_by_side import processes

from .bills import amounts, bill, claimed, discount, voucher

ZONE = ZoneInfo("America/New_York")


def budget(amount=1000, **fields):
    name = f"Budget {Budget.objects.count()}"
    return Budget.objects.create(**{"name": name, "unit": "points", "amount": Decimal(amount), **fields})


def spent(of, customer=None):
    rows = Spending.objects.filter(budget=of, customer=customer).order_by("period_start")
    return list(rows.values_list("period_start", "used"))


@pytest.mark.django_db
def test_a_hard_budget_refuses_the_eleventh_of_a_hundred(now):
    of = budget()
    assert [draw(of, 100, None, now) for _each in range(11)] == [100] * 10 + [0]
    assert spent(of) == [(date(1970, 1, 1), 1000)]


@pytest.mark.django_db
def test_a_dynamic_budget_gives_what_is_left(now):
    of = budget(1050, behaviour="dynamic")
    assert [draw(of, 100, None, now) for _each in range(12)] == [100] * 10 + [50, 0]
    assert spent(of) == [(date(1970, 1, 1), 1050)]


@pytest.mark.django_db
def test_a_hard_budget_gives_what_still_fits(now):
    of = budget(250)
    assert [draw(of, wanted, None, now) for wanted in (200, 100, 50)] == [200, 0, 50]


@pytest.mark.django_db
def test_what_others_had_is_not_what_a_stranger_had(now):
    of = budget(1000, per_customer=150)
    assert [draw(of, 100, factories.customer().pk, now) for _each in range(2)] == [100, 100]
    assert left([of], None, now) == {of.pk: 150}
    assert draw(of, 100, None, now) == 100


@pytest.mark.django_db
def test_a_customer_has_a_limit_of_their_own(now):
    of, maria, tom = budget(1000, per_customer=150), factories.customer(), factories.customer()
    assert [draw(of, 100, each.pk, now) for each in (maria, maria, tom, tom)] == [100, 0, 100, 0]
    Budget.objects.update(behaviour="dynamic")
    of.refresh_from_db()
    assert draw(of, 100, maria.pk, now) == 50
    assert (spent(of), spent(of, maria), spent(of, tom)) == (
        [(date(1970, 1, 1), 250)],
        [(date(1970, 1, 1), 150)],
        [(date(1970, 1, 1), 100)],
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("period", "before", "after", "starts"),
    [
        ("day", (2026, 11, 23, 23, 59), (2026, 11, 24, 0, 0), (date(2026, 11, 23), date(2026, 11, 24))),
        ("day", (2026, 11, 1, 0, 0), (2026, 11, 2, 0, 0), (date(2026, 11, 1), date(2026, 11, 2))),  # of 25 hours
        ("week", (2026, 11, 29, 23, 59), (2026, 11, 30, 0, 0), (date(2026, 11, 23), date(2026, 11, 30))),
        ("month", (2026, 11, 30, 23, 59), (2026, 12, 1, 0, 0), (date(2026, 11, 1), date(2026, 12, 1))),
        ("year", (2026, 12, 31, 23, 59), (2027, 1, 1, 0, 0), (date(2026, 1, 1), date(2027, 1, 1))),
    ],
)
def test_a_budget_begins_anew_with_each_period_of_the_stores_calendar(period, before, after, starts):
    of = budget(100, period=period)
    first, second = (datetime(*each, tzinfo=ZONE).astimezone(ZoneInfo("UTC")) for each in (before, after))
    assert [draw(of, 100, None, each) for each in (first, first, second, second)] == [100, 0, 100, 0]
    assert spent(of) == [(starts[0], 100), (starts[1], 100)]


@pytest.mark.django_db
def test_what_is_given_back_can_be_given_again(now):
    of, who = budget(100, period="day"), factories.customer()
    draw(of, 100, who.pk, now)
    give_back([(Wish(of, who.pk, Decimal(100)), now.date())])
    assert (spent(of), spent(of, who)) == ([(now.date(), 0)], [(now.date(), 0)])
    assert draw(of, 100, who.pk, now) == 100


@pytest.mark.django_db
def test_many_draw_in_turn_with_as_many_statements_as_one(now):
    of, seen = budget(1000, per_customer=30), []
    for number in (1, 20):
        people = [factories.customer().pk for _each in range(number)]
        wishes = [Wish(of, who, Decimal(20)) for who in people for _twice in range(2)]
        draw(of, 0, None, now)
        with CaptureQueriesContext(connection) as captured:
            assert draw_each(wishes, now) == [20, 0] * number
        seen.append(len([each for each in captured if "SAVEPOINT" not in each["sql"]]))
    assert seen == [4, 4]  # store, held, of customers, written
    assert spent(of) == [(date(1970, 1, 1), 420)]


@pytest.mark.django_db
def test_of_a_batch_the_first_are_given_something(now):
    of = budget(1000)
    people = [factories.customer().pk for _each in range(11)]
    assert draw_each([Wish(of, who, Decimal(100)) for who in people], now) == [100] * 10 + [0]


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_get_a_hundred_of_a_thousand_ten_times():
    of = budget()
    with processes("tests.rewards.drawing") as at_once:
        given = [Decimal(each) for answer in at_once([(of.pk, [100] * 5)] * 10) for each in answer]

    assert (len(given), given.count(Decimal(100)), given.count(Decimal(0))) == (50, 10, 40)
    assert spent(of) == [(date(1970, 1, 1), 1000)]


def take(now, who, *vouchers, on="50.00"):
    result = judged(claimed(*vouchers), bill(now, on), who.pk, now)
    return result, used(result.taken, factories.order(who, now), who.pk, now)


@pytest.mark.django_db
def test_money_off_is_taken_from_the_budget_and_comes_back(now):
    of, who = budget(25, unit="money", period="month"), factories.customer()
    made = voucher(discount(budget=of), uses_allowed=None)
    first, uses = take(now, who, made)
    take(now, who, made)
    assert [amounts(off) for _claim, off in first.taken] == [{1: "10.00"}]
    assert spent(of) == [(date(2026, 11, 1), 20)]

    refused, nothing = take(now, who, made)
    assert (nothing, refused.refused[0].reason, refused.refused[0].detail) == (
        [],
        "limit_reached",
        "Its budget has only $5.00 left.",
    )
    assert undone(uses, now + timedelta(days=60)) == uses
    assert (spent(of), spent(of, who)) == ([(date(2026, 11, 1), 10)], [(date(2026, 11, 1), 10)])


@pytest.mark.django_db
def test_a_dynamic_budget_takes_off_what_it_has_left(now):
    of, who = budget(14, unit="money", behaviour="dynamic"), factories.customer()
    vouchers = [voucher(discount(budget=of, combines=True)) for _each in range(3)]
    result, uses = take(now, who, *vouchers)
    assert [amounts(off) for _claim, off in result.taken] == [{1: "10.00"}, {1: "4.00"}]
    assert [(each.reason, each.detail) for each in result.refused] == [("limit_reached", "Its budget is used up.")]
    assert (spent(of)[0][1], [each.amount for each in uses]) == (14, [10, 4])
    assert left([of], who.pk, now) == {of.pk: 0}


@pytest.mark.django_db
def test_who_finds_the_budget_used_up_meanwhile_changes_nothing(now):
    of, who = budget(10, unit="money"), factories.customer()
    made = voucher(discount(budget=of), uses_allowed=None)
    taken = judged(claimed(made), bill(now, "50.00"), who.pk, now).taken
    take(now, who, made)
    with pytest.raises(Refused) as refused:
        used(taken, factories.order(who, now), who.pk, now)
    assert refused.value.refusal.detail == "Its budget was just used up at another till."
    made.refresh_from_db()
    assert (made.uses, Redemption.objects.count(), spent(of)[0][1]) == (1, 1, 10)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "1,000 pts; what does not fit is refused."),
        (
            {"unit": "money", "period": "month", "per_customer": 20, "behaviour": "dynamic"},
            "$1,000.00 a month, $20.00 for one customer; the last gets what is left.",
        ),
        ({"unit": "vouchers", "period": "day", "per_customer": 1}, None),
    ],
)
def test_a_budget_says_what_it_allows(fields, said):
    assert said is None or budget(**fields).summary() == said
    assert budget(unit="vouchers", period="day", per_customer=1).summary() == (
        "1,000 vouchers a day, 1 voucher for one customer; what does not fit is refused."
    )
