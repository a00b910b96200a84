"""The programme's page and the form of a rule in a real browser."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from loyaltyflow.audit.models import Change
from loyaltyflow.store.models import StoreSettings
from rewards.models import EarningRule, Lot, Programme
from rewards.rules.points_per_spend import PointsPerSpend
from tests.staff import signed_in
from tests.till import shop

pytestmark = pytest.mark.browser


@pytest.fixture
def rule(transactional_db):
    StoreSettings.load()
    Programme.load()
    return PointsPerSpend.objects.create(name="Basic", starts_at=timezone.now() - timedelta(days=9))


@pytest.mark.parametrize("width", [1280, 390])
def test_a_rule_says_what_it_gives_while_it_is_typed_and_is_switched_with_the_keyboard(browse, rule, width):
    page = browse("/rewards/programme/1/change/", width=width)
    page.click("text=Points for money spent")
    page.fill("[name=name]", "Double")
    page.fill("[name=points_per_unit]", "2")
    expect(page.locator("[data-said]")).to_have_text("2 points for every $1.00 spent.")
    expect(page.locator("[data-example]")).to_have_text("For example: 2 points per $1 on $30.95 net = 61")
    page.click("[name=_save]")

    switch = page.get_by_role("switch", name="Double")
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("switch", name="Double")).to_have_attribute("aria-checked", "false")
    assert dict(EarningRule.objects.values_list("name", "is_active")) == {"Basic": True, "Double": False}
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_points_get_new_dates_only_after_what_that_changes_was_shown(browse, boss, width):
    StoreSettings.load()
    Programme.load()
    who = shop.member(500)
    page = browse("/rewards/programme/1/change/", width=width)
    page.get_by_text("When points expire", exact=True).click()
    expect(page.locator("[name=expiry_months]")).to_be_hidden()
    page.select_option("[name=expiry]", "date")
    expect(page.locator("[name=expiry_day]")).to_be_visible()
    expect(page.locator("[name=expiry_months]")).to_be_hidden()
    page.fill("[name=expiry_month]", "2")
    page.fill("[name=expiry_day]", "31")
    page.click("[name=_save]")
    expect(page.get_by_text("Points that customers have keep their dates.")).to_be_visible()
    assert Lot.objects.get(customer=who).expires_at is None

    page.get_by_text("When points expire", exact=True).click()
    page.click("text=New dates for points that customers have")
    expect(page.locator("body")).to_contain_text("on Feb 29 of the year after they were earned")
    expect(page.locator("#would")).to_contain_text("500 pts")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert Lot.objects.get(customer=who).expires_at is None
    page.click("text=Give new dates")

    expect(page.get_by_text("Points of 1 customer have new dates: 500 pts earlier")).to_be_visible()
    ends = Lot.objects.get(customer=who).expires_at
    assert (ends.year, ends.month) == (timezone.now().year + 1, 3)
    assert Change.objects.filter(model="rewards.programme", user=boss, after__has_key="points_redated_at").exists()
    assert page.complaints == []


def test_who_may_not_change_the_programme_gives_no_new_dates(db):
    client = signed_in("view_programme")

    assert client.get("/rewards/programme/redate/").status_code == 403
    assert client.post("/rewards/programme/redate/").status_code == 403


@pytest.mark.parametrize("width", [1280, 390])
def test_the_ways_to_reach_a_tier_can_be_read_and_set(browse, width):
    StoreSettings.load()
    Programme.load()
    page = browse("/rewards/programme/1/change/", width=width)
    page.get_by_role("heading", name="Tiers").or_(
        page.locator("fieldset").get_by_text("Tiers", exact=True)
    ).first.click()

    wide = page.locator("[name=tier_basis]").evaluate("(each) => each.getBoundingClientRect().width")
    assert wide > 150
    page.locator("[name=tier_counts_gifts]").check(force=True)
    page.select_option("[name=tier_window]", "year")
    expect(page.locator("[name=tier_months]")).to_be_hidden()
    page.click("[name=_save]")

    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert Programme.load().tier_counts_gifts
    assert Programme.load().tier_window == Programme.TierWindow.YEAR
