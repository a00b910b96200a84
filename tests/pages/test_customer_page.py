"""The customer's page in a real browser."""

import pytest
from django.utils import timezone

from loyaltyflow.store.models import StoreSettings
from segments.models import Segment
from tests.customer_page import world

pytestmark = pytest.mark.browser


@pytest.fixture
def maria(boss):
    return world.everything(StoreSettings.load().local(timezone.now()), boss)


def address(who, more=""):
    return f"/store/customer/{who.pk}/change/{more}"


def test_filters_narrow_the_timeline_and_are_told_apart(browse, maria):
    page = browse(address(maria))
    page.click(".lf-chips a:has-text('Messages')")
    page.wait_for_load_state("networkidle")

    assert page.locator(".lf-chips [aria-current]").inner_text() == "Messages 4"
    assert page.locator(".lf-events li").count() == 4
    assert "Opened “Thanksgiving list”" in page.locator("#timeline").inner_text()
    assert page.complaints == []


def test_older_entries_are_a_press_away(browse, maria, boss):
    world.more(maria, StoreSettings.load().local(timezone.now()), boss, 2)
    page = browse(address(maria))
    first = page.locator(".lf-events .lf-what").first.inner_text()
    page.click("#timeline >> text=Older")
    page.wait_for_load_state("networkidle")

    assert page.locator("#timeline .lf-foot").inner_text().startswith("21–40 of ")
    page.click("#timeline >> text=Newer")
    page.wait_for_load_state("networkidle")
    assert page.locator(".lf-events .lf-what").first.inner_text() == first


def test_why_is_asked_by_keyboard(browse, maria):
    Segment.objects.exclude(name="Lives near").delete()
    page = browse(address(maria))
    page.select_option("#why select", label="Birthday month")
    with page.expect_navigation():
        page.focus("#why .lf-button")
        page.keyboard.press("Enter")

    assert "Maria Oliveira is in this workflow since" in page.locator("#why .lf-answer").inner_text()
    assert page.locator("#why .lf-why li").count() == 3


def test_details_are_edited_on_their_own_page_and_lead_back(browse, maria):
    page = browse(address(maria))
    page.click("text=Edit details")
    page.fill("[name=first_name]", "Mary")
    page.click("button[name=_save]")
    page.wait_for_load_state("networkidle")

    assert page.url.endswith(address(maria))
    assert page.locator("#main h2").first.inner_text() == "Mary Oliveira"
    assert "Changed" in page.locator(".lf-events li").first.inner_text()


@pytest.mark.parametrize("width", [1280, 1024, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(browse, maria, width, scheme):
    type(maria).objects.filter(pk=maria.pk).update(first_name="Wilhelmina-" * 9, last_name="Featherstonehaugh" * 5)
    page = browse(address(maria), width=width, scheme=scheme)

    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.complaints == []
