from decimal import Decimal
from typing import Any, ClassVar

from django.db import models

from loyaltyflow.store.models import Product

from ..bill import ZERO, Bill, Line, Off, Reason, Refusal, Refused
from .base import Discount


class FreeProduct(Discount):
    """One piece of a product on the bill costs nothing, such as a free coffee; it does not count as money spent."""

    icon = "redeem"
    takes_off_lines = True
    examples: ClassVar[list[dict[str, Any]]] = [{"min_spend": "25.00"}]

    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="+", help_text="It must be on the bill; one of it is free."
    )

    class Meta:
        verbose_name = "free product"

    def summary(self) -> str:
        return f"{self.product.name} free of charge."

    def spent_on(self, bill: Bill) -> Decimal:
        line = self._dearest(bill)
        return bill.goods - (line.item_price(bill.places) if line else ZERO)

    def off(self, bill: Bill) -> Off:
        line = self._dearest(bill)
        if line is None:
            missing = f"{self.product.name} is not on this bill. Add it, and one of it is free."
            raise Refused(Refusal("", Reason.PRODUCT_NOT_IN_BILL, missing))
        price = line.item_price(bill.places)
        return Off(lines={line.number: price} if price else {})

    def _dearest(self, bill: Bill) -> Line | None:
        lines = [line for line in bill.lines if line.product == self.product_id]
        return max(lines, key=lambda line: (line.item_price(bill.places), -line.number), default=None)
