"""Giving points by hand in a browser, and the second person's decision."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from loyaltyflow.models import Change
from rewards import adjustments
from rewards.models import Account, AdjustmentReason
from tests import factories

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [1280, 390])
def test_points_are_given_from_the_customers_page_and_above_the_limit_wait(browse, width):
    reason = AdjustmentReason.objects.get_or_create(code="goodwill", defaults={"title": "A thank-you from us"})[0]
    who = factories.customer(first_name="Maria")
    page = browse(f"/store/customer/{who.pk}/change/", width)
    page.click("text=Adjust points")
    page.wait_for_load_state("networkidle")
    assert "up to 1,000 points" in page.locator(".lf-callout").inner_text()
    page.fill("[name=points]", "50")
    page.select_option("[name=reason]", label="A thank-you from us")
    page.click("[name=_save]")
    page.wait_for_url("**/rewards/adjustment/*/change/")
    assert Account.objects.get().balance == 50
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    carl = User.objects.create_user("carl")
    adjustments.adjust(who.pk, 5_000, reason, "", carl, "k", timezone.now())
    page.goto(page.url.split("/rewards")[0] + "/")
    card = page.locator("[aria-label='Needs a look']")
    assert "1 adjustment of points waits for approval" in card.inner_text()
    card.locator("a").first.click()
    page.wait_for_load_state("networkidle")
    assert "In all 0 pts" in page.locator("[data-total]").inner_text()
    page.click("#result_list a:has-text('Maria')")
    page.click("text=Approve")
    page.wait_for_load_state("networkidle")
    assert Account.objects.get().balance == 5_050
    assert page.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_audit_says_who_changed_what(browse, boss, width):
    gift = AdjustmentReason.objects.create(code="gift", title="A gift")
    AdjustmentReason.objects.filter(pk=gift.pk).update(title="A present")
    page = browse("/loyaltyflow/change/", width)
    assert "A gift → A present" in page.locator("#result_list").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    with page.expect_download() as download:
        page.click("text=Export")
    assert download.value.suggested_filename == "audit.csv"
    assert Change.objects.latest("pk").user == boss
    page.goto(page.url.split("/loyaltyflow")[0] + f"/rewards/adjustmentreason/{gift.pk}/history/")
    assert "Changes of A present" in page.content()
    assert page.complaints == []
