"""How many customers meet conditions that nobody has saved, and who they are."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext

from loyaltyflow import sql
from loyaltyflow.sql import TooSlow
from loyaltyflow.store.models import Customer
from segments import counting
from segments.conditions import Condition
from segments.conditions.customer_field import CustomerField
from segments.exchange.trees import dumped, grown
from tests import factories

pytestmark = pytest.mark.django_db


def lives_in(state: str) -> dict:
    return {"customer_field": {"value": state}}


HAS_ADDRESS = {"customer_field": {"field": "email", "operator": "is_set"}}


def tree(*plain, kind: str = "all_of") -> Condition:
    """An unsaved tree whose rows have numbers, from 1 on, as if they were stored."""
    top = grown({kind: list(plain)})
    for number, row in enumerate(top.walk()):
        row.copy_of = number or None
    return top


@pytest.fixture
def people() -> None:
    """Thirty in MA of whom ten are called Ann, and ten elsewhere."""
    Customer.objects.bulk_create(
        Customer(email=f"{n}@example.com", state="MA" if n < 30 else "NH", first_name="Ann" if n < 10 else "Bo")
        for n in range(40)
    )


def test_a_tree_that_is_not_stored_is_counted(people, now):
    count = counting.counted(tree(lives_in("MA")), now)

    assert (count.number, count.of_all, count.is_about, count.share) == (30, 40, False, 0.75)
    assert 0 < count.seconds < 10


@pytest.mark.parametrize(
    ("_case", "plain", "expected"),
    [
        ("everybody", {"all_of": []}, 40),
        ("nobody", {"any_of": []}, 0),
        ("not", {"none_of": [lives_in("MA")]}, 10),
        ("both", {"all_of": [lives_in("MA"), lives_in("NH")]}, 0),
        ("either", {"any_of": [lives_in("MA"), lives_in("NH")]}, 40),
    ],
)
def test_groups_are_counted(_case, plain, expected, people, now):
    assert counting.counted(grown(plain), now).number == expected


def test_nobody_is_a_share_of_no_customers(now):
    count = counting.counted(tree(lives_in("MA")), now)

    assert (count.number, count.of_all, count.share) == (0, 0, 0.0)


def test_the_pages_show_each_who_matches_once_and_begin_again(people, now):
    asked = tree(lives_in("MA"))
    pages = [[each.pk for each in counting.samples(asked, now, page=page)] for page in range(4)]

    assert [len(page) for page in pages] == [10, 10, 10, 10]
    assert {pk for page in pages[:3] for pk in page} == set(
        Customer.objects.filter(state="MA").values_list("pk", flat=True)
    )
    assert pages[3] == pages[0]
    assert pages[0] != sorted(pages[0])


def test_the_last_page_is_as_long_as_those_who_are_left(people, now):
    assert len(counting.samples(tree({"customer_field": {"field": "first_name", "value": "Ann"}}), now, 7, 1)) == 3


def test_a_count_that_takes_too_long_is_one_of_a_sample(people, now, monkeypatch):
    monkeypatch.setattr(counting, "HOPELESS", 0)

    look = counting.looked(tree(lives_in("MA")), now)

    assert (look.count.number, look.count.is_about, len(look.customers)) == (30, False, 10)  # all were in the sample


def test_an_estimate_says_that_it_is_one_and_is_near(now, monkeypatch):
    Customer.objects.bulk_create(
        Customer(email=f"{n}@example.com", state="MA" if n % 4 else "NH") for n in range(4_000)
    )
    monkeypatch.setattr(counting, "HOPELESS", 0)
    monkeypatch.setattr(counting, "SAMPLE", 1_000)

    count = counting.counted(tree(lives_in("MA")), now)

    assert (count.is_about, count.of_all) == (True, 4_000)
    assert 2_700 <= count.number <= 3_300


def test_a_statement_that_is_cut_off_leaves_the_transaction_and_its_limit_as_they_were(now):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 9000")
        with pytest.raises(TooSlow, match="longer than 50 ms"), sql.time_limit(50):
            cursor.execute("SELECT pg_sleep(1)")
        with sql.time_limit(5_000):
            cursor.execute("SELECT 1")
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("9s",)


@pytest.mark.parametrize(
    ("_case", "before", "after"), [("it has little", "4MB", "64MB"), ("it has more", "128MB", "128MB")]
)
def test_statements_about_everybody_have_the_memory_that_they_need(_case, before, after, people, now):
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, true)", [before])
        counting.counted(tree(lives_in("MA")), now)
        cursor.execute("SHOW work_mem")
        assert cursor.fetchone() == (after,)


def test_each_row_is_counted_alone_and_without_the_others(people, now):
    asked = tree(lives_in("MA"), {"any_of": [{"customer_field": {"field": "first_name", "value": "Ann"}}]})

    assert {row: count.number for row, count in counting.row_counts(asked, now).items()} == {1: 30, 3: 10}
    assert counting.counted(counting.without(asked, 1), now).number == 10
    assert counting.counted(counting.pruned(counting.without(asked, 3)), now).number == 30
    assert len(asked.parts()) == 2


def test_rows_that_take_long_to_count_do_not_add_up(people, now, monkeypatch):
    spent = []

    def slow(asked, now, limit_ms):
        spent.append(limit_ms)
        if asked.number == 2:
            raise TooSlow("Not even a sample.")
        return counting.Count(1, 40, True, limit_ms / 1_000)

    monkeypatch.setattr(counting, "counted", slow)
    monkeypatch.setattr(counting, "perf_counter", lambda: sum(spent) / 1_000)

    counts = counting.row_counts(tree(*[lives_in("MA")] * 4), now, leave_out=[3], limit_ms=250)

    assert sorted(counts) == [1, 4]
    assert spent == [250, counting.SHORTEST, counting.SHORTEST]


def test_an_exact_count_is_given_up_in_time_for_one_of_a_sample(people, now, monkeypatch):
    sleeps = Q(RawSQL("pg_sleep(1) IS NOT NULL", [], output_field=BooleanField()))
    asked = tree(lives_in("MA"))
    monkeypatch.setattr(asked, "q_of_everybody", lambda now: sleeps)

    look = counting.looked(asked, now, limit_ms=500)

    assert (look.count.number, look.count.is_about) == (30, False)  # all were in the sample
    assert 0.5 < look.count.seconds < 20  # to count them would take half a minute


def test_a_row_is_counted_as_its_form_says_before_it_is_saved(people, now):
    asked = tree(lives_in("MA"), kind="none_of")
    before = dumped(asked)

    typed = counting.with_row(asked, 1, CustomerField(value="NH"))

    assert counting.counted(typed, now).number == 30
    assert (dumped(asked), dumped(typed)) == (before, {"none_of": [{"customer_field": {"value": "NH"}}]})


@pytest.mark.parametrize(
    ("_case", "plain", "row"),
    [
        ("some match", [lives_in("MA")], None),
        ("one that nobody meets", [lives_in("MA"), lives_in("VT")], 2),
        ("two that exclude each other", [lives_in("MA"), {"customer_field": {"field": "first_name", "value": "Ann"}},
                                         lives_in("NH")], 3),
        ("in a group", [lives_in("MA"), {"all_of": [lives_in("MA"), lives_in("VT")]}], 4),
        ("any of several", [lives_in("MA"), {"any_of": [lives_in("VT"), lives_in("ME")]}], 2),
        ("any of one", [lives_in("MA"), {"any_of": [lives_in("VT")]}], 3),
        ("any of nothing", [lives_in("MA"), {"any_of": []}], 2),
        ("not what everybody is", [{"none_of": [lives_in("VT"), HAS_ADDRESS]}], 3),
    ],
)  # fmt: skip
def test_the_row_that_leaves_nobody_is_named(_case, plain, row, people, now):
    found = counting.nobody(tree(*plain), now)

    assert (found and found.number) == row


def test_things_worth_knowing_of_those_who_match_are_counted_with_them(people, now, monkeypatch):
    known = {"are called Ann": lambda now: Q(first_name="Ann"), "live in NH": lambda now: Q(state="NH")}
    monkeypatch.setattr(counting, "worth_knowing", known)

    assert counting.looked(tree(lives_in("MA")), now).known == {"are called Ann": 10, "live in NH": 0}


def test_of_those_who_match_it_is_counted_whom_e_mail_reaches(people, now):
    ann, bea = Customer.objects.filter(state="MA").order_by("pk")[:2]
    Customer.objects.filter(pk=ann.pk).update(email="ann@example.com")
    Customer.objects.filter(pk=bea.pk).update(email="bea@example.com")
    factories.consent(ann, now - timedelta(days=1))

    assert counting.looked(tree(lives_in("MA")), now).known == {"can be sent e-mail": 1}
    assert counting.looked(tree(lives_in("NH")), now).known == {"can be sent e-mail": 0}


def test_the_number_of_statements_does_not_depend_on_that_of_customers(people, now):
    asked = tree(lives_in("MA"), {"made_purchase": {"count": 2}})

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            counting.looked(asked, now)
            counting.row_counts(asked, now)
        return len(queries)

    for who in Customer.objects.filter(state="MA")[:1]:
        factories.order(who, now - timedelta(days=1))
        factories.order(who, now - timedelta(days=2))
    before = statements()
    for who in Customer.objects.all():
        factories.order(who, now - timedelta(days=1))
        factories.order(who, now - timedelta(days=2))

    assert statements() == before
    assert counting.counted(asked, now).number == 30
