from decimal import Decimal

import pytest
from playwright.sync_api import expect

from loyaltyflow.store.models import StoreSettings
from rewards.discounts.amount_off_category import AmountOffCategory
from rewards.models import Budget, Discount
from tests import factories

pytestmark = pytest.mark.browser


def test_a_discount_is_made_from_the_palette_and_tried(browse):
    factories.product(name="Blue Dream", category="Flower", price=Decimal(30))
    factories.product(name="Gummies", category="Edibles", price=Decimal(18))
    page = browse("/rewards/discount/")
    page.locator("a[href='/rewards/discount/add/']:visible").first.click()
    page.get_by_role("link", name="Amount off a category").click()
    page.get_by_label("Name").fill("Third visit")
    page.get_by_label("Title").fill("$5.00 off flower")
    page.get_by_label("Amount", exact=False).first.fill("5")
    page.get_by_label("Off these categories").first.fill("Flower")
    page.get_by_role("button", name="Save", exact=True).first.click()
    page.wait_for_load_state("networkidle")

    made = AmountOffCategory.objects.get()
    assert (made.amount, made.off_categories, made.is_active) == (5, ["Flower"], False)
    row = page.get_by_role("row").filter(has_text="Blue Dream")
    assert "−$5.00" in row.inner_text()
    assert "–" in page.get_by_role("row").filter(has_text="Gummies").inner_text()

    page.get_by_label("Quantity of Blue Dream").fill("0")
    page.get_by_role("button", name="Try it").click()
    page.wait_for_load_state("networkidle")
    assert "There is nothing of Flower on this bill." in page.get_by_role("alert").inner_text()
    assert page.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("address", ["discount/", "discount/add/", "amountoffbill/add/", "budget/"])
def test_the_pages_do_not_scroll_sideways(browse, address, width):
    Budget.objects.create(name="Autumn", unit="money", amount=Decimal(500))
    page = browse(f"/rewards/{address}", width=width)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.complaints == []
    assert not Discount.objects.exists()


def test_a_category_or_store_that_nothing_is_called_by_is_said_when_it_is_saved(browse):
    StoreSettings.load()
    factories.product(sku="T", name="Tea", category="Tea")
    page = browse("/rewards/amountoffcategory/add/")
    expect(page.get_by_text("Amount ($)")).to_be_visible()
    assert page.locator(".addlink").count() == 0  # it would empty the form
    page.fill("[name=name]", "Tea time")
    page.fill("[name=title]", "$1.00 off tea")
    page.fill("[name=amount]", "1")
    page.fill("[name=off_categories]", "tea, Cofee")
    page.fill("[name=stores]", "salem")
    page.click("[name=_save]")

    expect(page.get_by_text("No product is of “Cofee” yet. Is it spelt like that?")).to_be_visible()
    expect(page.get_by_text("No purchase was made at “salem” yet.")).to_be_visible()
    assert AmountOffCategory.objects.get().off_categories == ["tea", "Cofee"]
    assert page.locator(".addlink").count() == 1
    assert page.complaints == []
