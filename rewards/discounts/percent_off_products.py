from typing import Any, ClassVar

from ..bill import Bill, Off, spread
from .base import Discount
from .fitting import OffSomeProducts
from .shares import Limited, Share


class PercentOffProducts(OffSomeProducts, Share, Limited, Discount):
    """A share off some products or categories, such as 15% off Coffee."""

    icon = "shoppingmode"
    takes_off_lines = True
    examples: ClassVar[list[dict[str, Any]]] = [{"percent": "15", "off_categories": ["Coffee"]}]

    class Meta:
        verbose_name = "percent off products"
        verbose_name_plural = "percent off products"

    def summary(self) -> str:
        return f"{self.percent_in_words()} off {self.goods_in_words()}{self.limit_in_words()}"

    def off(self, bill: Bill) -> Off:
        fitting = self.fitting(bill)
        amount = self.limited(self.share_of(fitting, bill.places))
        return Off(lines=spread(amount, fitting, bill.places))
