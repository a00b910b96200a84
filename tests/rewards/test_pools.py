"""Pools of codes: made here, or brought in from a file."""

import io

import pytest
from django.core.management import CommandError, call_command
from django_q.models import OrmQ

from loyaltyflow.store.intake import Context
from loyaltyflow.store.intake.files import CannotBeRead
from loyaltyflow.store.models import StoreSettings
from rewards import code_lists, codes, pools
from rewards.vouchers import CodePool, RejectedCode, Voucher
from tests import factories

from .vouching import discount, give, pool

pytestmark = pytest.mark.django_db


def wanted(count, **fields):
    return CodePool.objects.create(discount=discount(code_prefix="CLUB"), name="Spring", wanted=count, **fields)


def send(text, now, of=None, name="Brought"):
    content = text if isinstance(text, bytes) else text.encode()
    context = Context.of(StoreSettings.load(), now, "upload")
    return code_lists.take(of or discount(), name, io.BytesIO(content), "codes.csv", context, None)


def brought(made):
    return list(made.vouchers.order_by("pk").values_list("code", flat=True))


def rejected(made):
    return list(made.rejected_rows.values_list("line", "reason", "cells"))


def test_a_pool_is_filled_in_batches(monkeypatch):
    monkeypatch.setattr(pools, "BATCH", 40)
    made = wanted(100)
    shown: list[int] = []

    assert pools.fill(made.pk, shown.append) == 100
    assert pools.fill(made.pk) == 0

    assert shown == [40, 40, 20]
    made.refresh_from_db()
    assert (made.made, made.is_whole) == (100, True)
    rows = Voucher.objects.values_list("discount", "pool", "state", "uses_allowed").distinct()
    assert list(rows) == [(made.discount_id, made.pk, "free", 1)]
    assert all(codes.is_consistent(key) for key in Voucher.objects.values_list("key", flat=True))
    assert Voucher.objects.filter(code__startswith="CLUB-").count() == 100


def test_a_pool_that_was_stopped_goes_on(monkeypatch):
    monkeypatch.setattr(pools, "BATCH", 40)
    made = wanted(100)
    monkeypatch.setattr(pools, "monotonic", iter(range(9)).__next__)
    assert pools.fill(made.pk, until=1) == 40
    assert pools.fill(made.pk, until=99) == 60
    assert Voucher.objects.count() == 100


def test_a_code_that_is_there_already_is_drawn_again(monkeypatch):
    made = wanted(2)
    Voucher.objects.create(code="CLUB-A", discount=made.discount)
    drawn = iter([["CLUB-B", "CLUBA"], ["CLUB-B", "CLUB-C"]])
    monkeypatch.setattr(codes, "generated", lambda prefix, count: next(drawn))

    assert pools.fill(made.pk) == 2

    assert brought(made) == ["CLUB-B", "CLUB-C"]


def test_a_worker_fills_the_pool_and_calls_the_next_if_its_time_is_over(monkeypatch):
    made = wanted(3)
    monkeypatch.setattr(pools, "TASK_SECONDS", -1)
    assert pools.fill_for_a_while(made.pk) == 0
    assert [each.func() for each in OrmQ.objects.all()] == ["rewards.pools.fill_for_a_while"]
    monkeypatch.setattr(pools, "TASK_SECONDS", 100)
    assert pools.fill_for_a_while(made.pk) == 3
    assert OrmQ.objects.count() == 1


def test_the_command_fills_a_pool_and_goes_on_where_it_was_stopped(capsys):
    of = discount(name="Ten off", code_prefix="TEN")
    call_command("generate_codes", "Ten off", "5", pool="Spring")
    assert capsys.readouterr().out == "Spring: 5 codes made.\n"
    CodePool.objects.create(discount=of, name="Autumn", wanted=4)
    call_command("generate_codes", "Ten off", "4", pool="Autumn")
    assert dict(CodePool.objects.values_list("name", "made")) == {"Spring": 5, "Autumn": 4}


@pytest.mark.parametrize(
    ("_case", "arguments", "message"),
    [
        ("no discount", ["Nothing", "5"], "There is no discount called “Nothing”"),
        ("no codes", ["Ten off", "0"], "A pool holds at least 1 code, not 0."),
        ("another pool", ["Ten off", "6"], "“Spring” is another pool: 5 codes."),
    ],
)
def test_what_the_command_refuses(_case, arguments, message):
    CodePool.objects.create(discount=discount(name="Ten off"), name="Spring", wanted=5)
    with pytest.raises(CommandError, match=message):
        call_command("generate_codes", *arguments, pool="Spring")
    assert (CodePool.objects.count(), Voucher.objects.count()) == (1, 0)


def test_how_many_are_free_given_and_used(now):
    made = pool(discount(makes_codes=False), "A", "B", "C", "D")
    for _ in range(3):
        factories.customer()
    give(made.discount, now)
    Voucher.objects.filter(code="A").update(state="redeemed")
    pool(discount(), "E")
    counted = CodePool.objects.with_counts().get(pk=made.pk)
    assert (counted.free, counted.given, counted.used) == (1, 3, 1)


@pytest.mark.parametrize(
    ("_case", "text"),
    [
        ("bare", "AB-1\nAB-2\n"),
        ("a header", "code\nAB-1\nAB-2\n"),
        ("a header after others", "Number;Coupon Code\n1;AB-1\n2;AB-2\n"),
        ("small letters, spaces and blank lines", "ab-1 \n\n a b-2\n"),
        ("a byte order mark", "\ufeffcode\nAB-1\nAB-2\n"),
    ],
)
def test_codes_are_found_in_a_file(now, _case, text):
    made = send(text, now)
    assert brought(made) == ["AB-1", "AB-2"]
    assert (made.is_imported, made.wanted, made.made, made.rejected) == (True, 2, 2, 0)
    assert set(made.vouchers.values_list("state", flat=True)) == {"free"}


def test_each_row_is_a_code_or_is_named_with_its_line_and_reason(now):
    other = discount(name="Other")
    Voucher.objects.create(code="TAKEN-1", discount=other)
    text = (
        "code,expires\nA-1,\nA-1,\nAI,\nTAKEN-1,\nTAKEN-L,\nnö!,\n,\nB-2,2026-12-31\nB-3,soon\n"
        f"{'X' * 41},\nB-4\n'=1+1,\n"
    )

    made = send(text, now)

    assert brought(made) == ["A-1", "B-2"]
    assert rejected(made) == [
        (3, "Line 2 has the same code.", "A-1,"),
        (4, "Line 2 has “A-1”, which is read as the same code.", "AI,"),
        (5, "The code is there already, for “Other”.", "TAKEN-1,"),
        (6, "“TAKEN-1” of “Other” is read as the same code.", "TAKEN-L,"),
        (7, "“nö!” is not a code of letters A to Z and digits, with - _ or . between them.", "nö!,"),
        (8, "The row has no code.", ","),
        (10, "“soon” is not a day such as 2026-12-31.", "B-3,soon"),
        (11, "The code has 41 signs; at most 40 fit.", f"{'X' * 41},"),
        (12, "The line has 1 cells, the first line has 2.", "B-4"),
        (13, "“'=1+1” is not a code of letters A to Z and digits, with - _ or . between them.", "'=1+1,"),
    ]
    assert (made.made, made.rejected) == (2, 10)
    ends = Voucher.objects.get(code="B-2").expires_at.astimezone(now.tzinfo)
    assert (ends.isoformat(), Voucher.objects.get(code="A-1").expires_at) == ("2027-01-01T00:00:00-05:00", None)
    report = "".join(code_lists.rejected_rows(made)).split("\r\n")
    assert report[:2] == ["line,reason,code,expires", "3,Line 2 has the same code.,A-1,"]


def test_the_same_file_twice_brings_nothing_twice(now):
    of = discount(name="Ten off")
    send("A\nB\n", now, of)
    again = send("A\nB\nC\n", now, of, "Again")
    assert brought(again) == ["C"]
    assert [reason for _, reason, _ in rejected(again)] == ["The code is there already, for “Ten off”."] * 2


@pytest.mark.parametrize(
    ("_case", "content", "message"),
    [
        ("nothing", b"", "nothing in its first line"),
        ("no sheet", b"PK\0\0", "not a CSV file"),
        ("other columns", b"name,age\nMaria,31\n", "2 columns, and none is called “code”: “name”, “age”. Name"),
        ("an open quote", b'"A\n', "cannot be split into cells"),
    ],
)
def test_a_file_of_no_use_leaves_nothing(now, _case, content, message):
    with pytest.raises(CannotBeRead, match=message):
        send(content, now)
    assert not CodePool.objects.exists()


def test_odd_bytes_are_refused_row_by_row(now):
    made = send(b"code\nA\nB\0\n\xff\xfe\n", now)
    assert brought(made) == ["A"]
    assert RejectedCode.objects.count() == 2
