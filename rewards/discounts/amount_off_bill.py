from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models

from loyaltyflow.store.templatetags.figures import money

from ..bill import Bill, Off, rounded, spread
from .base import Discount


class AmountOffBill(Discount):
    """So much off the whole bill, such as $10.00 off; never more than there is to pay."""

    icon = "payments"
    examples: ClassVar[list[dict[str, Any]]] = [{"amount": "10.00"}, {"amount": "10.00", "min_spend": "75.00"}]

    amount = models.DecimalField(max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))])

    class Meta:
        verbose_name = "amount off the bill"
        verbose_name_plural = "amounts off the bill"

    def summary(self) -> str:
        return f"{money(self.amount)} off the bill."

    def off(self, bill: Bill) -> Off:
        return Off(lines=spread(min(rounded(self.amount, bill.places), bill.goods), bill.lines, bill.places))
