import pytest
from django.utils import timezone

from rewards.models import Standing, Tier
from tests.rewards.ladder import member

pytestmark = pytest.mark.browser


def test_a_tier_is_set_by_hand_from_the_history_and_shows_in_the_list(browse):
    Tier.objects.create(name="Gold", threshold=500, benefits=["Free delivery"])
    who = member(timezone.now())
    page = browse(width=390)
    page.goto(page.url + "rewards/standing/")
    page.get_by_role("link", name="Set a tier by hand").click()
    page.locator("select[name=customer]").evaluate(
        "(select, pk) => { select.add(new Option('Ann', pk)); select.value = pk }", str(who.pk)
    )
    page.select_option("select[name=tier]", label="Gold")
    page.fill("[name=note]", "Moved here with us")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/rewards/standing/")
    assert Standing.objects.get().note == "Moved here with us"

    page.goto(page.url.replace("standing", "tier"))
    assert "500 pts" in page.inner_text("#result_list")
    page.get_by_role("link", name="Gold").first.click()
    page.wait_for_load_state("networkidle")
    assert "Set by staff: Moved here with us" in page.inner_text("[aria-label='Who came last']")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.complaints == []
