"""After a test that commits, the next one finds what a new store has, whatever was done to it."""

import pytest
from django.db import connection

from rewards.models import AdjustmentReason

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("_time", ["first", "second"])
def test_what_a_new_store_has_comes_back_and_can_be_added_to(_time):
    assert set(AdjustmentReason.objects.values_list("code", flat=True)) > {"goodwill"}
    AdjustmentReason.objects.create(code="new", title="New")

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE rewards_adjustmentreason RESTART IDENTITY CASCADE")
