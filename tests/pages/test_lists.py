"""Lists of the admin and the menu beside them, in a real browser."""

import pytest

from loyaltyflow.store.models import StoreSettings
from rewards.models import Tier
from tests.till import shop

pytestmark = pytest.mark.browser

LABELS = """[...document.querySelectorAll("#result_list tbody tr:first-child > *")].map(
    (cell) => getComputedStyle(cell, "::before").content.replaceAll('"', ""))"""


def test_every_entry_of_the_menu_is_in_sight_on_a_low_screen(browse):
    page = browse("/rewards/budget/")

    places = page.locator("#nav-sidebar-apps a:visible, #nav-sidebar-apps h2:visible").evaluate_all(
        "all => all.map((each) => each.getBoundingClientRect().bottom)"
    )

    foot = page.locator("#nav-sidebar-apps").evaluate("(all) => all.getBoundingClientRect().bottom")
    assert len(places) > 20
    assert max(places) <= foot


@pytest.mark.parametrize(
    ("address", "labels"),
    [
        ("/rewards/account/", ["none", "Points", "Worth", "Last change"]),
        (
            "/rewards/tier/",
            ["none", "none", "Reached with", "Members now", "Share", "Early access", "For reaching it", "Benefits"],
        ),
    ],
)
def test_on_a_phone_a_row_opens_with_what_it_is_about_and_names_the_rest(browse, address, labels):
    StoreSettings.load()
    shop.member(500, first_name="Aisha", last_name="Rahman")
    Tier.objects.create(name="Gold", threshold=1500)

    page = browse(address, width=390)

    row = page.locator("#result_list tbody tr").first
    assert page.evaluate(LABELS) == labels
    assert row.bounding_box()["height"] < 300
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.complaints == []
