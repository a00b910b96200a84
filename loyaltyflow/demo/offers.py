"""What the demo store's customers can get off their bills."""

from datetime import datetime
from decimal import Decimal

from loyaltyflow.store.models import Product
from rewards.discounts.amount_off_bill import AmountOffBill
from rewards.discounts.amount_off_category import AmountOffCategory
from rewards.discounts.amount_off_item import AmountOffItem
from rewards.discounts.free_product import FreeProduct
from rewards.models import Voucher

CUP = {"name": "Cup of coffee, 12 oz", "category": "Coffee Bar", "price": Decimal("3.50")}


def make(now: datetime) -> None:
    """A deal for each of the first three visits, a code for a first order, and a reward for points, from `now` on."""
    visit = {"is_active": True, "starts_at": now, "uses_per_customer": 1, "valid_days": 30}
    cup, _is_new = Product.objects.get_or_create(sku="CUP12", defaults=CUP)
    FreeProduct.objects.create(
        name="1st visit", title="Free coffee with $25.00 or more", product=cup, min_spend=Decimal(25), **visit
    )
    AmountOffItem.objects.create(name="2nd visit", title="$10.00 off any item", amount=Decimal(10), **visit)
    AmountOffCategory.objects.create(
        name="3rd visit", title="$5.00 off flowers", amount=Decimal(5), off_categories=_flowers(), **visit
    )
    FreeProduct.objects.create(
        name="Coffee for points",
        title="Free cup of coffee",
        product=cup,
        points_price=200,
        is_active=True,
        starts_at=now,
        valid_days=30,
    )
    welcome = AmountOffBill.objects.create(
        name="WELCOME10",
        title="$10.00 off your first order",
        amount=Decimal(10),
        is_for_first_order=True,
        is_active=True,
        starts_at=now,
        min_spend=Decimal(40),
    )
    Voucher.objects.create(code="WELCOME10", discount=welcome, uses_allowed=None)


def _flowers() -> list[str]:
    """The retailer's categories of flowers."""
    floral = Product.objects.filter(category__istartswith="floral").order_by("category")
    return list(floral.values_list("category", flat=True).distinct()) or ["Flowers"]
