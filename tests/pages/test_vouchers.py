"""Vouchers and pools of codes in a real browser."""

import os
from pathlib import Path

import pytest
from django.utils import timezone

from rewards import pools
from rewards.vouchers import CodePool, Voucher
from tests import factories
from tests.rewards.vouching import discount

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def fits(page):
    """Whether nothing of the page stands beyond the window's right edge."""
    if folder := os.environ.get("SHOTS"):
        name = page.url.split("/", 3)[3].strip("/").replace("/", "-").partition("?")[0]
        page.screenshot(path=Path(folder) / f"{name}-{page.viewport_size['width']}.png", full_page=True)
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_pool_fills_while_one_looks(width, browse):
    discount(name="Ten off", code_prefix="TEN")
    page = browse("/rewards/codepool/", width)
    assert fits(page)
    page.get_by_role("link", name="Generate codes …").click()
    page.locator("#id_discount").select_option("Ten off")
    page.locator("#id_name").fill("Flyer")
    page.locator("#id_number").fill("1500")
    assert fits(page)
    page.get_by_role("button", name="Save").first.click()
    page.get_by_text("of 1,500 codes are made").wait_for()
    assert fits(page)
    pools.fill_for_a_while(CodePool.objects.get().pk)
    page.get_by_text("All 1,500 codes are there.").wait_for()
    assert Voucher.objects.count() == 1_500
    assert page.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_codes_come_from_a_file(width, browse, tmp_path):
    discount(name="Ten off")
    (tmp_path / "codes.csv").write_text("A-1\nA-2\nA-1\n")
    page = browse("/rewards/codepool/import/", width)
    page.get_by_label("Discount", exact=True).select_option("Ten off")
    page.get_by_label("Name of the pool").fill("Brought")
    page.get_by_label("CSV file").set_input_files(tmp_path / "codes.csv")
    assert fits(page)
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("codes.csv: 2 codes, 1 rows rejected.").wait_for()
    assert page.get_by_role("link", name="1 rejected row").is_visible()
    assert fits(page)
    assert page.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_voucher_is_found_and_revoked(width, browse):
    who = factories.customer(first_name="Maria", last_name="Lopez")
    of = discount(name="Ten off", valid_days=5)
    Voucher.objects.create(code="TEN-4HW9D", discount=of, customer=who, assigned_at=timezone.now())
    page = browse("/rewards/voucher/", width)
    assert fits(page)
    page.goto(f"{page.url}?q=ten4hw9d")
    page.get_by_role("link", name="TEN-4HW9D").click()
    assert "Given to Maria Lopez" in page.locator("#history").text_content()
    assert fits(page)
    page.get_by_label("Why").fill("Given by mistake")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("TEN-4HW9D is revoked.").wait_for()
    assert "Given by mistake" in page.locator("#history").text_content()
    assert Voucher.objects.get().state == "revoked"
    assert page.complaints == []
