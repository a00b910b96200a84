from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from loyaltyflow.store.templatetags.figures import count

from ..bill import Bill, Off, rounded, spread
from .base import Discount
from .fitting import at_most

A_SHARE = [MinValueValidator(Decimal("0.01")), MaxValueValidator(100)]


class PercentOffBill(Discount):
    """A share off everything on the bill, such as 10% off, at most $20.00."""

    icon = "percent"
    examples: ClassVar[list[dict[str, Any]]] = [{"percent": "10"}, {"percent": "20", "most": "25.00"}]

    percent = models.DecimalField(max_digits=5, decimal_places=2, validators=A_SHARE, help_text="10 means 10%.")
    most = models.DecimalField(
        "at most",
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text="It never takes off more than that. Empty: no limit.",
    )

    class Meta:
        verbose_name = "percent off the bill"
        verbose_name_plural = "percent off the bill"

    def summary(self) -> str:
        return f"{count(self.percent)}% off the bill{at_most(self.most)}"

    def off(self, bill: Bill) -> Off:
        share = rounded(bill.goods * self.percent / 100, bill.places)
        return Off(lines=spread(min(share, self.most or share), bill.lines, bill.places))
