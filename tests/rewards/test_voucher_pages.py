"""The pages about vouchers and pools of codes."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import OrmQ

from loyaltyflow.pages import _needs_a_look
from rewards.vouchers import CodePool, Voucher
from tests import factories
from tests.staff import signed_in

from .vouching import discount, give, pool

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
VOUCHERS, POOLS = "admin:rewards_voucher", "admin:rewards_codepool"


def page(client, name, *args, **query):
    return client.get(reverse(name, args=args), query)


def codes_on(answer):
    return [each.code for each in answer.context["cl"].result_list]


def test_the_list_is_searched_by_code_however_it_is_typed_and_by_customer(admin_client, now):
    of = discount()
    anna = factories.customer(first_name="Anna", last_name="Lee", email="anna@example.com")
    Voucher.objects.create(code="CLUB-4HW9D", discount=of, customer=anna)
    Voucher.objects.create(code="CLUB-7KX2M", discount=of)
    Voucher.objects.create(code="OTHER", discount=of)

    found = {
        text: codes_on(page(admin_client, f"{VOUCHERS}_changelist", q=text))
        for text in ("club4hw9d", "Anna Lee", "anna@example.com", "club", "nothing", "–")
    }

    assert found == {
        "club4hw9d": ["CLUB-4HW9D"],
        "Anna Lee": ["CLUB-4HW9D"],
        "anna@example.com": ["CLUB-4HW9D"],
        "club": ["CLUB-7KX2M", "CLUB-4HW9D"],
        "nothing": [],
        "–": [],
    }
    by_state = page(admin_client, f"{VOUCHERS}_changelist", state__exact="redeemed")
    assert codes_on(by_state) == []


def test_the_lists_take_as_many_statements_for_many_rows_as_for_few(admin_client, now):
    counts = []
    for many in (2, 20):
        of = discount()
        pool(of, *(f"M{many}-{each}" for each in range(many)))
        for _ in range(many):
            factories.customer()
        give(of, now, f"cause {many}")
        for name in (f"{VOUCHERS}_changelist", f"{POOLS}_changelist"):
            page(admin_client, name)
            with CaptureQueriesContext(connection) as captured:
                page(admin_client, name)
            counts.append(len(captured))
    assert counts[:2] == counts[2:]


def test_a_customer_is_given_a_voucher_once_however_often_the_form_is_sent(admin_client):
    of, who = discount(title="$5.00 off"), factories.customer()
    address = reverse(f"{VOUCHERS}_add")
    form = {"discount": of.pk, "customer": who.pk, "code": "", "uses_allowed": "", "once": "staff:1"}

    for _ in range(2):
        answer = admin_client.post(address, form, follow=True)

    voucher = Voucher.objects.get()
    assert (voucher.customer, voucher.state, voucher.uses_allowed) == (who, "issued", 1)
    assert f"{voucher.code}: $5.00 off. {who} has it." in answer.content.decode()


def test_a_customer_who_gets_none_is_told_of(admin_client):
    of, who = discount(makes_codes=False), factories.customer()
    form = {"discount": of.pk, "customer": who.pk, "code": "", "uses_allowed": "", "once": "staff:1"}
    answer = admin_client.post(reverse(f"{VOUCHERS}_add"), form, follow=True)
    assert "got no voucher: no code is left, or the budget is spent." in answer.content.decode()
    assert not Voucher.objects.exists()


def test_everybody_may_be_given_a_code(admin_client):
    form = {"discount": discount().pk, "customer": "", "code": "welcome10", "uses_allowed": "", "once": "staff:1"}
    assert admin_client.post(reverse(f"{VOUCHERS}_add"), form).status_code == 302
    voucher = Voucher.objects.get()
    assert (voucher.code, voucher.customer, voucher.uses_allowed) == ("WELCOME10", None, None)


@pytest.mark.parametrize(
    ("_case", "code", "has_customer", "reason"),
    [
        ("neither", "", False, "Write a code that everybody may use, or choose a customer."),
        ("both", "SPRING", True, "own code is made by itself. Leave this empty."),
        ("reads like another", "we1c0me", False, "is there already and reads the same. Choose another."),
        ("no code", "10 % off!", False, "Capital letters and digits"),
    ],
)
def test_what_the_form_refuses(admin_client, _case, code, has_customer, reason):
    of = discount()
    Voucher.objects.create(code="WELCOME", discount=of)
    who = factories.customer().pk if has_customer else ""
    form = {"discount": of.pk, "customer": who, "code": code, "uses_allowed": "", "once": "staff:1"}
    assert reason in admin_client.post(reverse(f"{VOUCHERS}_add"), form).content.decode().replace("&#x27;", "'")
    assert Voucher.objects.count() == 1


def test_the_page_tells_what_happened_to_a_voucher(admin_client, now):
    who = factories.customer(first_name="Anna", last_name="Lee")
    of = discount()
    newer = Voucher.objects.create(code="NEWER", discount=of)
    voucher = Voucher.objects.create(code="A", discount=of, customer=who, assigned_at=now, state="superseded")
    Voucher.objects.filter(pk=voucher.pk).update(superseded_by=newer, ended_at=now + DAY)
    order = factories.order(who, now)
    about = {"discount": of, "customer": who, "order": order, "amount": 5, "is_single": True, "till": "Till 1"}
    voucher.redemptions.create(**about, redeemed_at=now, reversed_at=now + DAY, store_location="Harbor")

    history = page(admin_client, f"{VOUCHERS}_change", voucher.pk).context["history"]

    assert {(each["what"], each["about"]) for each in history} == {
        ("Made", ""),
        ("Given to Anna Lee", ""),
        ("Used by Anna Lee", f"{order}, $5.00 off · Harbor · Till 1"),
        ("Given back", str(order)),
        ("Replaced", "by NEWER"),
    }


def test_a_voucher_is_revoked_with_a_reason_only(admin_client):
    voucher = Voucher.objects.create(code="A", discount=discount())
    address = reverse(f"{VOUCHERS}_revoke", args=[voucher.pk])
    said = admin_client.post(address, {"reason": " "}, follow=True).content.decode()
    voucher.refresh_from_db()
    assert (voucher.state, "Say why it is revoked" in said) == ("issued", True)

    admin_client.post(address, {"reason": "Given by\0 mistake"})
    voucher.refresh_from_db()
    assert (voucher.state, voucher.note) == ("revoked", "Given by mistake")
    again = admin_client.post(address, {"reason": "Once more"}, follow=True).content.decode()
    assert "Nothing was changed: A is not open any more (revoked)." in again
    assert admin_client.get(address).status_code == 405


def test_several_are_revoked_after_the_reason_is_asked_for(admin_client):
    of = discount()
    chosen = [Voucher.objects.create(code=code, discount=of).pk for code in "AB"]
    Voucher.objects.create(code="C", discount=of)
    address = reverse(f"{VOUCHERS}_changelist")
    form = {"action": "revoke_chosen", "_selected_action": chosen}
    assert "Revoke 2 vouchers" in admin_client.post(address, form).content.decode()
    assert "Say why they are revoked." in admin_client.post(address, form | {"reason": ""}).content.decode()
    assert not Voucher.objects.filter(state="revoked").exists()
    admin_client.post(address, form | {"reason": "A\0 leak"})
    assert dict(Voucher.objects.values_list("code", "state")) == {"A": "revoked", "B": "revoked", "C": "issued"}


def test_who_may_do_what():
    voucher = Voucher.objects.create(code="A", discount=discount())
    held = pool(discount(), "B")
    client = signed_in("view_voucher", "view_codepool")
    assert page(client, f"{VOUCHERS}_changelist").status_code == 200
    assert "Revoke" not in page(client, f"{VOUCHERS}_change", voucher.pk).content.decode()
    assert client.post(reverse(f"{VOUCHERS}_revoke", args=[voucher.pk]), {"reason": "No"}).status_code == 403
    refused = [f"{VOUCHERS}_add", f"{POOLS}_add", f"{POOLS}_import"]
    assert [page(client, name).status_code for name in refused] == [403, 403, 403]
    assert page(client, f"{POOLS}_export", held.pk).status_code == 403
    assert page(client, f"{POOLS}_rejected", held.pk).status_code == 403
    assert client.post(reverse(f"{POOLS}_go_on", args=[held.pk])).status_code == 403
    voucher.refresh_from_db()
    assert voucher.state == "issued"


def test_codes_are_made_in_the_background(admin_client):
    form = {"discount": discount().pk, "name": "Flyer", "number": "1000"}
    answer = admin_client.post(reverse(f"{POOLS}_add"), form, follow=True).content.decode()
    made = CodePool.objects.get()
    assert (made.wanted, made.made, made.created_by.username) == (1_000, 0, "admin")
    assert [(each.func(), each.args()) for each in OrmQ.objects.all()] == [
        ("rewards.pools.fill_for_a_while", (made.pk,))
    ]
    assert "1,000 codes are being made." in answer
    assert "of 1,000 codes are made" in answer

    CodePool.objects.update(made=1_000)
    assert "All <b>1,000</b> codes are there." in page(admin_client, f"{POOLS}_progress", made.pk).content.decode()
    admin_client.post(reverse(f"{POOLS}_go_on", args=[made.pk]))
    assert OrmQ.objects.count() == 1


def test_a_file_of_codes_comes_in_and_the_bad_rows_go_out_again(admin_client):
    of = discount()
    file = SimpleUploadedFile("codes.csv", b"A-1\nA-1\nn\xc3\xb6\n")
    form = {"discount": of.pk, "name": "Brought", "file": file, "only_these": "on"}
    answer = admin_client.post(reverse(f"{POOLS}_import"), form, follow=True).content.decode()
    made = CodePool.objects.get()
    assert "codes.csv: 1 codes, 2 rows rejected." in answer
    of.refresh_from_db()
    assert not of.makes_codes
    report = b"".join(page(admin_client, f"{POOLS}_rejected", made.pk).streaming_content).decode()
    assert report.splitlines()[1] == "2,Line 1 has the same code.,A-1"
    export = b"".join(page(admin_client, f"{POOLS}_export", made.pk).streaming_content).decode()
    assert export.splitlines() == ["code,state,given_at", "A-1,free,"]

    again = SimpleUploadedFile("codes.csv", b"B-1\n")
    refused = admin_client.post(reverse(f"{POOLS}_import"), form | {"file": again}).content.decode()
    assert "There is a pool called “Brought” already." in refused
    broken = SimpleUploadedFile("codes.csv", b"PK\0")
    refused = admin_client.post(reverse(f"{POOLS}_import"), form | {"file": broken, "name": "New"}).content.decode()
    assert "This is not a CSV file." in refused
    assert CodePool.objects.count() == 1


def test_the_start_page_names_discounts_without_free_codes(now):
    for name, fields in {
        "Gone": {"makes_codes": False},
        "Makes": {},
        "Off": {"makes_codes": False, "is_active": False},
        "Over": {"makes_codes": False, "ends_at": now - DAY},
        "Left": {"makes_codes": False},
    }.items():
        pool(discount(name=name, **fields), *(["CODE"] if name == "Left" else []))
    health = {"failed": 0, "uncertain": 0, "proof": None, "unnoticed": 0}
    named = [each["name"] for each in _needs_a_look(health) if each["kind"] == "codes"]
    assert named == ["Gone"]
