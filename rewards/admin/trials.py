"""A sample bill on the page of a discount, on which it is tried."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Product

from .. import checks
from ..bill import Bill, Line, Refused, rounded, smallest_coin
from ..claims import Claim
from ..discounts import Discount

SAMPLES = 4  # lines of the bill


def trial(discount: Discount, request: HttpRequest) -> dict[str, Any]:
    """What the discount takes off a bill of a few products, as many of each as was asked for."""
    places = smallest_coin(store().currency)
    lines = [_line(*each, request, places) for each in enumerate(_samples(discount), 1)]
    shipping = _number(request.GET.get("shipping"), Decimal("5.00"))
    bought = tuple(line for line in lines if line.quantity)
    location = discount.stores[0] if discount.stores else ""
    bill = Bill(bought, timezone.now(), shipping, location, places=places)
    shown: dict[str, Any] = {"shipping": shipping, "before": bill.goods + shipping, "left": bill.goods + shipping}
    off_lines: dict[int, Decimal] = {}
    try:
        off = checks.tried(Claim(discount), bill, timezone.now())
        off_lines = dict(off.lines)
        shown |= {"off": off, "left": bill.goods + shipping - off.total, "gift": off.gift, "times": off.factor}
    except Refused as refused:
        shown |= {"refusal": refused.refusal}
    shown["shipping_typed"] = f"{shipping.normalize():f}"
    shown["lines"] = [
        {"line": line, "quantity": f"{line.quantity.normalize():f}", "off": off_lines.get(line.number)}
        for line in lines
    ]
    return shown


def _line(number: int, product: Product, request: HttpRequest, places: int) -> Line:
    quantity = _number(request.GET.get(f"quantity_{product.pk}"), Decimal(1))
    amount = rounded((product.price or Decimal(0)) * quantity, places)
    return Line(number, product.sku, product.pk, product.name, product.category, product.brand, quantity, amount)


def _samples(discount: Discount) -> list[Product]:
    """Products for a sample bill: those that the discount names first, then others that cost something."""
    own = [*discount._meta.local_fields, *discount._meta.local_many_to_many]
    named: set[int] = set(getattr(discount, "only_products", []))
    for field in own:
        if field.is_relation and field.related_model is Product:
            value = getattr(discount, field.name)
            named |= {value.pk} if isinstance(value, Product) else {each.pk for each in value.all()}
    wanted = [*discount.categories, *getattr(discount, "off_categories", [])]
    priced = Product.objects.filter(is_active=True, price__gt=0)
    first = [*Product.objects.filter(pk__any=sorted(named))[:2], *priced.filter(category__in=wanted)[:2]]
    others = priced.exclude(pk__in=[each.pk for each in first]).order_by("-price", "pk")
    return list({each.pk: each for each in [*first, *others[:SAMPLES]]}.values())[:SAMPLES]


def _number(text: str | None, otherwise: Decimal) -> Decimal:
    """The number that was typed, from 0 to 999."""
    try:
        value = Decimal(text) if text else otherwise
    except InvalidOperation:
        return otherwise
    return min(max(value, Decimal(0)), Decimal(999)) if value.is_finite() else otherwise
