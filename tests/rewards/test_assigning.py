"""Who gets which voucher."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Event
from rewards.assigning import Assigned, WhyNone
from rewards.models import Budget, Spending
from rewards.vouchers import Voucher
from tests import factories

from .vouching import discount, give, pool

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def test_each_customer_gets_a_code_of_their_own_once(now):
    of = discount(code_prefix="CLUB")
    who, other = factories.customer(), factories.customer()

    assert give(of, now) == Assigned(2)
    first = list(Voucher.objects.order_by("customer").values_list("customer", "code", "origin", "state"))
    assert [row[0] for row in first] == [who.pk, other.pk]
    assert [(row[2], row[3]) for row in first] == [(f"test:{who.pk}", "issued"), (f"test:{other.pk}", "issued")]
    assert all(row[1].startswith("CLUB-") for row in first)

    assert give(of, now + DAY) == Assigned(0)
    assert list(Voucher.objects.order_by("customer").values_list("customer", "code", "origin", "state")) == first
    told = Event.objects.named("voucher_assigned").order_by("customer")
    assert list(told.values_list("customer", "occurred_at", "properties")) == [
        (each.customer_id, now, {"voucher": each.pk, "discount": of.pk})
        for each in Voucher.objects.order_by("customer")
    ]


def test_another_cause_brings_another_voucher(now):
    factories.customer()
    of = discount()
    assert (give(of, now).new, give(of, now, "birthday").new) == (1, 1)


def test_five_days_from_monday_afternoon_end_with_saturday():
    """Assigned Monday, 3:00 pm, for 5 days: the last second is Saturday, 11:59:59 pm, on the store's clock."""
    monday = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    factories.customer()
    give(discount(valid_days=5), monday)

    voucher = Voucher.objects.get()
    sunday = datetime(2026, 11, 29, 5, 0, tzinfo=UTC)
    assert voucher.expires_at == sunday
    assert Voucher.objects.usable(sunday - timedelta(seconds=1)).get() == voucher
    assert not Voucher.objects.usable(sunday).exists()


@pytest.mark.parametrize(
    ("_case", "given", "ends"),
    [
        ("clocks go back", datetime(2026, 10, 31, 3, 30, tzinfo=UTC), datetime(2026, 11, 2, 5, 0, tzinfo=UTC)),
        ("clocks go forward", datetime(2026, 3, 7, 4, 30, tzinfo=UTC), datetime(2026, 3, 9, 4, 0, tzinfo=UTC)),
    ],
)
def test_days_are_those_of_the_store_when_clocks_change(_case, given, ends):
    """Given late in the evening for 2 days, around a night of 25 or 23 hours."""
    factories.customer()
    give(discount(valid_days=2), given)
    assert Voucher.objects.get().expires_at == ends


def test_a_voucher_does_not_outlast_its_discount(now):
    factories.customer()
    of = discount(valid_days=30, ends_at=now + DAY)
    give(of, now)
    give(discount(), now, "without an end")
    assert list(Voucher.objects.order_by("pk").values_list("expires_at", flat=True)) == [now + DAY, None]


@pytest.mark.parametrize(
    ("_case", "fields"), [("off", {"is_active": False}), ("over", {"ends_at": datetime(2026, 11, 1, tzinfo=UTC)})]
)
def test_a_discount_that_is_off_or_over_is_not_given(now, _case, fields):
    who = factories.customer()
    assert give(discount(**fields), now) == Assigned(0, {f"test:{who.pk}": WhyNone.OFF})
    assert not Voucher.objects.exists()
    assert not Event.objects.exists()


def test_codes_of_a_pool_are_given_before_new_ones_are_made(now):
    of = discount(code_prefix="NEW")
    pool(of, "OLD-1", "OLD-2")
    for _ in range(3):
        factories.customer()

    assert give(of, now) == Assigned(3)

    given = dict(Voucher.objects.values_list("code", "state"))
    assert [given.pop(code) for code in ("OLD-1", "OLD-2")] == ["issued", "issued"]
    [made] = given
    assert made.startswith("NEW-")


def test_who_comes_when_a_pool_has_run_out_gets_none_and_is_named(now):
    of = discount(makes_codes=False, valid_days=5)
    pool(of, "A-1", "A-2")
    people = [factories.customer() for _ in range(3)]

    assert give(of, now) == Assigned(2, {f"test:{people[2].pk}": WhyNone.NONE_LEFT})

    given = Voucher.objects.order_by("code").values_list("code", "customer", "origin", "assigned_at", "expires_at")
    ends = datetime(2026, 11, 29, 5, 0, tzinfo=UTC)
    assert list(given) == [
        ("A-1", people[0].pk, f"test:{people[0].pk}", now, ends),
        ("A-2", people[1].pk, f"test:{people[1].pk}", now, ends),
    ]
    assert Event.objects.named("voucher_assigned").count() == 2


def test_a_code_of_a_pool_keeps_its_own_earlier_end(now):
    of = discount(makes_codes=False, valid_days=5)
    pool(of, "EARLY", expires_at=now + DAY)
    pool(of, "GONE", expires_at=now)
    factories.customer()
    assert give(of, now).new == 1
    assert dict(Voucher.objects.values_list("code", "expires_at")) == {"EARLY": now + DAY, "GONE": now}
    assert Voucher.objects.get(code="GONE").state == "free"


def test_a_newer_voucher_of_the_same_workflow_replaces_an_unused_one(now):
    who = factories.customer()
    first, better = discount(), discount(supersedes=True)
    give(first, now, "first", workflow=7)
    give(first, now, "elsewhere", workflow=8)
    give(first, now, "used", workflow=7)
    Voucher.objects.filter(origin=f"used:{who.pk}").update(state="redeemed")

    give(better, now + DAY, "better", workflow=7)

    states = {each.origin.partition(":")[0]: each for each in Voucher.objects.all()}
    assert {name: each.state for name, each in states.items()} == {
        "first": "superseded",
        "elsewhere": "issued",
        "used": "redeemed",
        "better": "issued",
    }
    assert (states["first"].superseded_by, states["first"].ended_at) == (states["better"], now + DAY)
    told = Event.objects.named("voucher_revoked").get()
    assert (told.customer, told.occurred_at) == (who, now + DAY)
    assert told.properties == {
        "voucher": states["first"].pk,
        "discount": first.pk,
        "replaced_by": states["better"].pk,
    }


def test_a_voucher_that_replaces_none_leaves_the_others(now):
    factories.customer()
    give(discount(), now, "first", workflow=7)
    give(discount(), now, "second", workflow=7)
    assert list(Voucher.objects.values_list("state", flat=True)) == ["issued", "issued"]


def test_nobody_to_give_to_is_no_work(now, django_assert_num_queries):
    of = discount()
    with django_assert_num_queries(1):
        assert give(of, now) == Assigned()


@pytest.mark.parametrize("codes", [0, 3, 40])
def test_the_number_of_statements_does_not_depend_on_how_many_get_one(now, codes):
    counts = []
    for people in (4, 40):
        of = discount(supersedes=True, valid_days=3)
        pool(of, *(f"P{of.pk}-{number}" for number in range(codes)))
        for _ in range(people):
            factories.customer()
        with CaptureQueriesContext(connection) as captured:
            give(of, now, f"cause {of.pk}", workflow=7)
        counts.append(len(captured))
    if codes < 4:
        assert counts[0] == counts[1]
    assert max(counts) <= 18


def test_two_vouchers_in_one_batch_have_codes_of_their_own(now, monkeypatch):
    """However unlikely: two of the codes that are made are the same, or one is there already."""
    people = [factories.customer() for _ in range(3)]
    of = discount()
    drawn = iter([["AAA", "AAA", "TAKEN"], ["CCC", "DDD"]])
    Voucher.objects.create(code="TAKEN", discount=of)
    monkeypatch.setattr("rewards.codes.generated", lambda prefix, count: next(drawn))

    assert give(of, now) == Assigned(3)

    given = dict(Voucher.objects.exclude(customer=None).values_list("customer", "code"))
    assert given == {people[0].pk: "AAA", people[1].pk: "CCC", people[2].pk: "DDD"}


def test_a_budget_of_vouchers_ends_with_the_last(now):
    of = Budget.objects.create(name="Autumn", unit="vouchers", amount=3, per_customer=1, period="month")
    people = [factories.customer() for _each in range(5)]
    paid = discount(budget=of)

    given = give(paid, now)
    assert given.new == 3
    assert given.without == {f"test:{who.pk}": WhyNone.BUDGET for who in people[3:]}
    assert set(Voucher.objects.values_list("customer", flat=True)) == {who.pk for who in people[:3]}
    assert list(Spending.objects.filter(customer=None).values_list("used", flat=True)) == [3]
    assert give(paid, now, "birthday").new == 0


def test_what_no_code_was_left_for_is_not_taken_from_the_budget(now):
    of = Budget.objects.create(name="Autumn", unit="vouchers", amount=3)
    paid = discount(budget=of, makes_codes=False)
    pool(paid, "ONLY1")
    for _each in range(2):
        factories.customer()
    assert give(paid, now).new == 1
    assert list(Spending.objects.filter(customer=None).values_list("used", flat=True)) == [1]
