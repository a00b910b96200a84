"""A thing has one name in the menu, in the trail above its page and in the window's title."""

import re

import pytest
from django.urls import reverse

from loyaltyflow.navigation import MENU, address_of

pytestmark = pytest.mark.django_db
LISTS = [(title, place) for entries in MENU.values() for title, _icon, place in entries if "." in place]


@pytest.mark.parametrize("title,place", LISTS, ids=[place for _title, place in LISTS])
def test_a_list_is_called_as_in_the_menu(title, place, admin_client):
    page = admin_client.get(reverse(address_of(place)), follow=True).content.decode()
    assert re.search(r"<h1>\s*([^<]*?)\s*</h1>", page)[1].replace("&amp;", "&") in (
        title,
        "Loyalty programme",
        "My store",
    )
    assert "results" not in page.split('class="lf-crumbs"')[1].split("</div>")[0]


def test_the_till_stands_at_the_top_and_what_is_seldom_needed_is_folded(admin_client):
    groups = admin_client.get(reverse("admin:index")).context["sidebar_navigation"]
    assert [item["title"] for item in groups[0]["items"]] == ["Dashboard", "Till"]
    assert [group["title"] for group in groups if group.get("collapsible")] == ["Settings"]
