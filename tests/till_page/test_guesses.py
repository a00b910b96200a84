"""Who tries codes at the Till page is stopped for a while, as tills of other makers are."""

from datetime import timedelta

import pytest
from django.utils import timezone

from loyaltyflow import guesses
from loyaltyflow.models import Guesses
from loyaltyflow.till_page.presses import TOO_MANY
from tests.till import shop
from tests.till_page.test_presses import Till

pytestmark = pytest.mark.django_db


def test_unknown_codes_stop_a_customer_and_then_a_person(admin_client, admin_user, monkeypatch):
    who, other = shop.member(), shop.member()
    shop.code("SAVE10", uses_allowed=None)
    till = Till(admin_client).press(f"choose:{who.pk}")
    for number in range(guesses.ALLOWED_FOR_CUSTOMER):
        assert till.press("try", **{"try": f"NOPE{number}"}).page["said"].where == "code"
        assert till.page["said"].what != TOO_MANY

    assert till.press("try", **{"try": "SAVE10"}).page["said"].what == TOO_MANY
    assert till.page["said"].why == "Wait 15 minutes, then read the code again, sign by sign."
    assert till.page["sale"].codes == ()
    assert till.press("scan", scan="SAVE10").page["said"].what == TOO_MANY
    assert till.press("count", code=["SAVE10"]).page["sale"].codes == ()

    till.press(f"choose:{other.pk}")
    assert till.press("try", **{"try": "SAVE10"}).page["sale"].codes == ("SAVE10",)
    monkeypatch.setattr(guesses, "ALLOWED", guesses.ALLOWED_FOR_CUSTOMER)
    assert till.press("count").page["sale"].codes == ()
    assert Guesses.objects.get(customer=None).user == admin_user

    Guesses.objects.update(since=timezone.now() - guesses.WINDOW - timedelta(seconds=1))
    assert till.press("try", **{"try": "SAVE10"}).page["sale"].codes == ("SAVE10",)


def test_codes_that_are_sent_with_the_sale_count_as_tries(admin_client):
    till = Till(admin_client).press("count", code=["NOPE1", "NOPE2"])
    assert till.page["sale"].codes == ()
    assert Guesses.objects.get(customer=None).count == 2


def test_what_is_scanned_and_unknown_counts_for_the_person_alone(admin_client):
    who = shop.member()
    till = Till(admin_client).press(f"choose:{who.pk}").press("scan", scan="NOPE")
    assert till.page["said"].what == "“NOPE” was not found"
    assert list(Guesses.objects.values_list("customer", "count")) == [(None, 1)]
