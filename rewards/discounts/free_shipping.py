from typing import Any, ClassVar

from ..bill import Bill, Off, Reason, Refusal, Refused
from .base import Discount
from .shares import Limited


class FreeShipping(Limited, Discount):
    """Shipping costs nothing, or so much less."""

    icon = "local_shipping"
    examples: ClassVar[list[dict[str, Any]]] = [{}, {"most": "7.50"}]

    class Meta:
        verbose_name = "free shipping"
        verbose_name_plural = "free shipping"

    def summary(self) -> str:
        return f"Free shipping{self.limit_in_words()}"

    def off(self, bill: Bill) -> Off:
        if not bill.shipping:
            raise Refused(Refusal("", Reason.PRODUCT_NOT_IN_BILL, "There is no shipping on this bill."))
        return Off(shipping=self.limited(bill.shipping))
