"""How codes are made, and how what people type is read."""

import itertools

import pytest
from django.db import IntegrityError, connection, transaction

from rewards import codes
from rewards.bill import Reason, Refused
from rewards.vouchers import Voucher

from .vouching import discount

CODE = "CLUB-4HW9D-7KX2F"
PREFIXES = ["CLUB"]


def test_the_check_character_is_the_standards():
    """The example that the Global Release Identifier gives for ISO/IEC 7064, MOD 37,36."""
    assert codes.check_sign("A12425GABC1234002", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "M"


def test_a_code_is_the_prefix_and_ten_signs_with_none_that_look_alike():
    made = list(codes.generated("CLUB", 2_000))
    assert len(set(made)) == 2_000
    for code in made:
        prefix, first, second = code.split("-")
        assert (prefix, len(first), len(second)) == ("CLUB", 5, 5)
        assert set(first + second) <= set(codes.SIGNS)
        assert codes.is_consistent(codes.key(code))
    assert not set(codes.SIGNS) & set(codes.ALIKE)
    assert {sign for code in made for sign in code[5:].replace("-", "")} == set(codes.SIGNS)


def test_every_wrong_sign_is_found():
    for code in itertools.islice(codes.generated("CLUB", 20), 20):
        signs = codes.key(code)
        for place, sign in itertools.product(range(len(signs)), codes.SIGNS):
            wrong = f"{signs[:place]}{sign}{signs[place + 1 :]}"
            assert codes.is_consistent(wrong) == (wrong == signs)


def test_a_code_without_a_prefix_begins_with_its_first_group():
    [code] = codes.generated("", 1)
    assert [len(group) for group in code.split("-")] == [5, 5]


@pytest.mark.parametrize(
    ("_case", "typed"),
    [
        ("as it is", "CLUB-4HW9D-7KX2F"),
        ("small letters", "club-4hw9d-7kx2f"),
        ("without dashes", "CLUB4HW9D7KX2F"),
        ("spaces", "  CLUB 4HW9D 7KX2F "),
        ("look-alikes", "C1U8-4HW9D-7KXZF"),
        ("other dashes", "CLUB–4HW9D_7KX2F"),
    ],
)
def test_what_is_forgiven(_case, typed):
    assert codes.key(typed) == codes.key(CODE)


@pytest.mark.parametrize(
    ("_case", "change", "is_misread"),
    [
        ("as it is", lambda code: code, False),
        ("a wrong sign", lambda code: code[:-1] + ("A" if code[-1] != "A" else "C"), True),
        ("a wrong sign in the prefix", lambda code: "CLUX" + code[4:], True),
        ("a sign is missing", lambda code: code[:-1], True),
        ("a sign too many", lambda code: code + "A", True),
        ("another word", lambda code: "WELCOME10", False),
        ("another prefix", lambda code: "SPRING-" + code[5:], False),
        ("nothing", lambda code: "", False),
    ],
)
def test_a_misread_code_is_told_apart_from_an_unknown_one(_case, change, is_misread):
    [code] = codes.generated("CLUB", 1)
    assert codes.is_misread(change(code), PREFIXES) is is_misread


@pytest.mark.django_db
def test_the_database_reads_codes_as_the_program_does():
    of = discount()
    odd = ["OQILZSBU-A_B.C", "CLUB-4HW9D-7KX2F", "WELCOME10", "0-1"]
    for code in odd:
        Voucher.objects.create(code=code, discount=of)
    assert dict(Voucher.objects.values_list("code", "key")) == {code: codes.key(code) for code in odd}


@pytest.mark.django_db
@pytest.mark.parametrize("code", ["WELC0ME10", "WELCOME-10", "WE1COME10"])
def test_no_code_equals_another_however_it_is_typed(code):
    of = discount()
    Voucher.objects.create(code="WELCOME10", discount=of, uses_allowed=None)
    with pytest.raises(IntegrityError, match="one_voucher_per_code_however_it_is_typed"), transaction.atomic():
        Voucher.objects.create(code=code, discount=of)
    assert Voucher.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("code", ["welcome", "-A", "A-", "", "A B", "É1"])
def test_a_code_that_is_none_is_refused(code):
    with pytest.raises(IntegrityError, match="a_voucher_code_is_of"), transaction.atomic():
        Voucher.objects.create(code=code, discount=discount())
    assert not Voucher.objects.exists()


@pytest.mark.django_db
def test_reading_a_code():
    of = discount(code_prefix="CLUB")
    [code, other] = codes.generated("CLUB", 2)
    voucher = Voucher.objects.create(code=code, discount=of)
    assert Voucher.read(code.lower().replace("-", "")) == voucher
    wrong = code[:-1] + ("A" if code[-1] != "A" else "C")
    for typed, detail in (
        (wrong, "Check the code: a sign is wrong."),
        (other, "Nobody was given this code."),
        ("SPRING", "Nobody was given this code."),
        ("–", "Nobody was given this code."),
    ):
        with pytest.raises(Refused) as refused:
            Voucher.read(typed)
        assert (refused.value.refusal.reason, refused.value.refusal.detail) == (Reason.NOT_FOUND, detail)
        assert refused.value.refusal.code == typed


@pytest.mark.django_db
def test_a_code_is_found_by_an_index():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Voucher.objects.coded("CLUB-4HW9D-7KX2F").explain()
    assert "one_voucher_per_code_however_it_is_typed" in plan
