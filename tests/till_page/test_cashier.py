"""Who sold, and whom no message reaches, as the Till page says it."""

import pytest
from django.contrib.auth.models import User

from rewards.models import Entry, Notice
from tests import factories
from tests.till import shop
from tests.till_page.test_presses import Till

pytestmark = pytest.mark.django_db


def test_a_sale_and_the_points_that_it_takes_name_who_sold(admin_client, admin_user):
    User.objects.filter(pk=admin_user.pk).update(first_name="Dana", last_name="Whitfield")
    who = shop.member(points=300)
    factories.product(sku="TEA-1", price="20.00")
    till = Till(admin_client).press(f"choose:{who.pk}").scan("TEA-1").press("points:more")
    till.press(f"complete:{till.page['exact']}")

    assert till.page["said"].what.startswith("Sold to")
    assert Entry.objects.get(kind="redeem").by == admin_user
    assert till.page["done"][0]["by"] == "Dana Whitfield"
    assert "by Dana Whitfield" in till.text


@pytest.mark.parametrize("exemption,is_said", [("no_address", True), ("merged", False)])
def test_the_till_says_whom_no_message_reaches(exemption, is_said, admin_client):
    who = shop.member(points=300)
    Notice.objects.create(entry=Entry.objects.get(customer=who), exemption=exemption)
    till = Till(admin_client).press(f"choose:{who.pk}")
    assert ("No message about points reaches this customer." in till.text) is is_said
