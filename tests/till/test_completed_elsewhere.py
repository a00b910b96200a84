"""What a till placed and another system completes."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from loyaltyflow.store.intake import ORDERS, Context, Intake
from loyaltyflow.store.models import StoreSettings
from rewards import earning
from rewards.discounts.points_multiplier import PointsMultiplier
from rewards.models import Entry
from tests.till import shop

DAY = timedelta(days=1)


@transaction.atomic
def taken_in(source, **row):
    """What the file of orders says of one of them."""
    intake = Intake(ORDERS, Context.of(StoreSettings.load(), timezone.now(), source))
    intake.add([1], {column.name: [row.get(column.name, "")] for column in ORDERS.columns})
    intake.merge()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("_case", "source", "points"), [("by its own system", "till", 120), ("of another", "web", 40)])
def test_an_order_that_is_completed_elsewhere_earns_what_the_receipt_said(_case, source, points):
    shop.rule("1")
    till, who = shop.till(), shop.member(email="ann@example.com")
    shop.code("TRIPLE", PointsMultiplier.objects.create(name="Triple", title="Triple", factor=3, is_active=True))
    asked = {"external_id": "R-1", "customer": who.pk, "bill": shop.bill("40.00"), "codes": ["TRIPLE"]}
    assert till("till/orders", {**asked, "status": "placed"}).json()["points_to_earn"] == 120

    at = timezone.now().isoformat()
    row = {"order_number": "R-1", "email": "ann@example.com", "placed_at": at, "completed_at": at, "net": "40.00"}
    taken_in(source, **row)
    earning.settle(timezone.now() + DAY)

    assert [each.points for each in Entry.objects.all()] == [points]
    if source == "till":
        done = till("till/orders", asked).json()
        assert done["balance_after"] == {"active": 120, "pending": 0}
        assert [each.points for each in Entry.objects.all()] == [points]
