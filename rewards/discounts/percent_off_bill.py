from typing import Any, ClassVar

from ..bill import Bill, Off, spread
from .base import Discount
from .shares import Limited, Share


class PercentOffBill(Share, Limited, Discount):
    """A share off everything on the bill, such as 10% off, at most $20.00."""

    icon = "percent"
    examples: ClassVar[list[dict[str, Any]]] = [{"percent": "10"}, {"percent": "20", "most": "25.00"}]

    class Meta:
        verbose_name = "percent off the bill"
        verbose_name_plural = "percent off the bill"

    def summary(self) -> str:
        return f"{self.percent_in_words()} off the bill{self.limit_in_words()}"

    def off(self, bill: Bill) -> Off:
        amount = self.limited(self.share_of(bill.lines, bill.places))
        return Off(lines=spread(amount, bill.lines, bill.places))
