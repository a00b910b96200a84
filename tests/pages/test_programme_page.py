"""The programme's page and the form of a rule in a real browser."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from loyaltyflow.store.models import StoreSettings
from rewards.models import EarningRule, Programme
from rewards.rules.points_per_spend import PointsPerSpend

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
