"""The Till page in a real browser."""

from decimal import Decimal

import pytest
from django.utils import timezone

from loyaltyflow.store.models import ExternalId, Order, StoreSettings
from rewards import ledger
from rewards.models import Redemption, Voucher
from tests import factories
from tests.till import shop

pytestmark = pytest.mark.browser


@pytest.fixture
def aisha(boss):
    StoreSettings.load()
    shop.rule("1")
    factories.product(sku="COFFEE", name="Harbor Roast Coffee 12 oz", price=Decimal("11.99"))
    factories.product(sku="MILK", name="Whole Milk, 1 gal", price=Decimal("4.79"))
    who = shop.member(500, first_name="Aisha", last_name="Rahman", phone="+19785550177")
    ExternalId.objects.create(customer=who, source="card", external_id="77004412")
    off = shop.off("5.00")
    for number in (1, 2, 3):
        shop.code(f"CLB-4HW9-{number}", off, customer=who)
    return who


@pytest.fixture
def till(browse, aisha):
    """Opens the page as the till of that name."""

    def opened(name="Till 2", width=1280, scheme="light"):
        page = browse("/till/?place", width=width, scheme=scheme)
        page.fill("#place-store", "Salem")
        page.fill("#place-till", name)
        page.click("text=Begin")
        page.wait_for_function("document.activeElement?.id === 'scan'")
        page.wait_for_load_state("networkidle")
        return page

    return opened


def scan(page, *texts):
    """As a keyboard-wedge scanner does: types wherever the focus is, and sends Enter."""
    for text in texts:
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    page.wait_for_function("!document.querySelector('.htmx-request')")
    page.wait_for_load_state("networkidle")


def has_focus(page):
    return page.evaluate("document.activeElement.id")


def spendable(who):
    return ledger.spendable([who.pk], timezone.now())[who.pk].spendable


def test_a_whole_sale_by_keyboard_only(till, aisha):
    page = till()
    scan(page, "77004412", "COFFEE", "COFFEE", "MILK", "CLB-4HW9-1")
    page.wait_for_selector("text=On this bill")
    assert page.locator("#to-pay").inner_text() == "$23.77"  # 2 × 11.99 + 4.79 − 5.00
    assert has_focus(page) == "scan"

    page.focus("#points")
    page.keyboard.press("Control+A")
    page.keyboard.type("200")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Redeem and complete · $13.77")
    page.wait_for_function("document.activeElement.id === 'scan'")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("text=Sold to Aisha Rahman")

    page.wait_for_function("document.activeElement.id === 'scan'")
    order = Order.objects.get()
    assert (order.net, order.store_location) == (Decimal("13.77"), "Salem")
    assert Voucher.objects.get(code="CLB-4HW9-1").state == Voucher.State.REDEEMED
    assert page.complaints == []


def test_two_tabs_redeem_the_same_voucher_at_once_and_the_loser_sees_who_won(till, aisha):
    tabs = [till("Till 1"), till("Till 1")]
    for page in tabs:
        scan(page, "77004412", "COFFEE", "CLB-4HW9-1")
        page.wait_for_selector("text=Redeem and complete · $6.99")
    # both are pressed before either is answered
    for page in tabs:
        page.evaluate("setTimeout(() => document.getElementById('complete').click())")
    for page in tabs:
        page.wait_for_selector("text=/Sold to Aisha|was just used/")

    told = [page.locator("#sale").inner_text() for page in tabs]
    [winner] = [text for text in told if "Sold to Aisha Rahman" in text]
    [loser] = [text for text in told if "was just used" in text]
    assert "was just used" not in winner
    assert "Voucher CLB-4HW9-1 was just used at Salem · Till 1" in loser
    assert "Nothing was taken here; Aisha has 2 other vouchers left." in loser
    assert "Complete · $11.99" in loser
    assert (Order.objects.count(), Redemption.objects.count()) == (1, 1)
    assert all(page.complaints == [] for page in tabs)


def test_a_sale_is_undone(till, aisha):
    page = till()
    scan(page, "77004412", "COFFEE", "CLB-4HW9-1")
    page.wait_for_selector("text=Redeem and complete · $6.99")
    page.click("#complete")
    page.wait_for_selector("text=Sold to Aisha")
    page.click("text=Undo")
    page.wait_for_selector("text=is undone")

    assert page.locator("#done .lf-pill").inner_text() == "Undone"
    assert spendable(aisha) == 500
    assert Voucher.objects.get(code="CLB-4HW9-1").state == Voucher.State.ISSUED


def test_a_reward_is_taken_for_points_and_undone(till, aisha):
    shop.off("5.00", title="Free coffee", points_price=400)
    page = till(width=390)
    scan(page, "77004412")
    page.click("text=Take for 400 points")
    page.wait_for_selector("text=400 points were paid")
    code = Voucher.objects.get(discount__title="Free coffee").code
    assert code in page.locator("#rewards").inner_text()
    assert code in page.locator("#own").inner_text()
    assert spendable(aisha) == 100
    page.wait_for_function("document.activeElement.id === 'scan'")

    page.click("#rewards >> text=Undo")
    page.wait_for_selector("text=Free coffee is undone")
    assert code not in page.locator("#own").inner_text()
    assert spendable(aisha) == 500
    assert page.complaints == []


def test_nothing_that_a_quick_scanner_sends_is_lost(till, aisha):
    page = till()
    page.keyboard.type("77004412\n")
    for _ in range(6):
        page.keyboard.type("MILK\n")
    page.wait_for_selector("text=$28.74 >> nth=0")

    assert page.locator("#quantity-1").input_value() == "6"
    assert has_focus(page) == "scan"


def test_a_price_is_changed_and_the_focus_comes_back(till, aisha):
    page = till()
    scan(page, "77004412", "COFFEE")
    page.wait_for_selector("#price-1")
    page.fill("#price-1", "9.50")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Complete · $9.50")

    page.wait_for_function("document.activeElement.id === 'scan'")
    page.click("h2:has-text('Bill')")
    page.wait_for_function("document.activeElement.id === 'scan'")
    assert page.locator("#price-1").input_value() == "9.50"
    assert "Complete · $9.50" in page.locator("#complete").inner_text()


def test_a_code_that_does_not_fit_says_why_where_it_was_typed(till, aisha):
    shop.code("BIG", shop.off("10.00", min_spend=Decimal("75.00")), customer=aisha)
    page = till()
    scan(page, "77004412", "COFFEE")
    page.wait_for_selector("#try")
    page.fill("#try", "BIG")
    page.keyboard.press("Enter")

    page.wait_for_selector("#bill .lf-refusal")
    assert page.locator("#bill .lf-refusal").inner_text().split("\n")[1:] == [
        "BIG cannot be used",
        "It needs $63.01 more on this bill.",
    ]
    assert "Complete · $11.99" in page.locator("#complete").inner_text()


@pytest.mark.parametrize("width", [1280, 1024, 390])
def test_what_is_pressed_is_large_enough_and_nothing_is_wider_than_the_window(till, aisha, width):
    page = till(width=width, scheme="dark" if width == 1024 else "light")
    scan(page, "77004412", "COFFEE", "MILK", "CLB-4HW9-1")
    page.wait_for_selector("text=On this bill")

    assert page.evaluate("document.documentElement.scrollWidth") == width
    right = "all => Math.max(...all.map(each => each.getBoundingClientRect().right))"
    assert page.locator("#till button, #till input").evaluate_all(right) <= width
    sizes = "all => all.filter(each => each.offsetParent).map(each => [each.innerText, each.offsetHeight])"
    low = page.locator("#sale button, #sale input:not([type=hidden])").evaluate_all(sizes)
    assert [each for each in low if each[1] < 44] == []
    assert page.locator("#complete").evaluate("each => each.offsetHeight") >= 56
