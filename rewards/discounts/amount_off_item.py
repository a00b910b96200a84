from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models

from loyaltyflow.store.templatetags.figures import money

from ..bill import Bill, Off, rounded
from .base import Discount
from .fitting import OffSomeProducts


class AmountOffItem(OffSomeProducts, Discount):
    """So much off one item, such as $10.00 off any item: the dearest that fits, and never more than it costs."""

    icon = "label"
    takes_off_lines = True
    examples: ClassVar[list[dict[str, Any]]] = [{"amount": "10.00"}, {"amount": "2.00", "off_categories": ["Bakery"]}]

    amount = models.DecimalField(max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))])

    class Meta:
        verbose_name = "amount off one item"
        verbose_name_plural = "amounts off one item"

    def summary(self) -> str:
        return f"{money(self.amount)} off one item of {self.goods_in_words()}."

    def off(self, bill: Bill) -> Off:
        dearest = max(self.fitting(bill), key=lambda line: (line.item_price(bill.places), -line.number))
        part = min(rounded(self.amount, bill.places), dearest.item_price(bill.places))
        return Off(lines={dearest.number: part} if part else {})
