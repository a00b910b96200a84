from typing import Any, ClassVar

from django.db import models

from loyaltyflow.store.models import Product

from ..bill import Bill, Off, Reason, Refusal, Refused
from .base import Discount


class FreeGift(Discount):
    """A product is handed over besides what is on the bill, such as a tote bag with any purchase."""

    icon = "featured_seasonal_and_gifts"
    examples: ClassVar[list[dict[str, Any]]] = [{}, {"min_spend": "50.00"}]

    gift = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="+", help_text="It need not be on the bill."
    )

    class Meta:
        verbose_name = "free gift"

    def summary(self) -> str:
        return f"{self.gift.name} as a gift with the purchase."

    def off(self, bill: Bill) -> Off:
        if not bill.lines:
            raise Refused(Refusal("", Reason.PRODUCT_NOT_IN_BILL, "There is nothing on this bill yet."))
        return Off(gift=self.gift.sku)
