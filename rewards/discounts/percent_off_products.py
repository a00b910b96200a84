from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models

from loyaltyflow.store.templatetags.figures import count

from ..bill import ZERO, Bill, Off, rounded, spread
from .base import Discount
from .fitting import OffSomeProducts, at_most
from .percent_off_bill import A_SHARE


class PercentOffProducts(OffSomeProducts, Discount):
    """A share off some products or categories, such as 15% off Coffee."""

    icon = "shoppingmode"
    takes_off_lines = True
    examples: ClassVar[list[dict[str, Any]]] = [{"percent": "15", "off_categories": ["Coffee"]}]

    percent = models.DecimalField(max_digits=5, decimal_places=2, validators=A_SHARE, help_text="15 means 15%.")
    most = models.DecimalField(
        "at most",
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text="It never takes off more than that from one bill. Empty: no limit.",
    )

    class Meta:
        verbose_name = "percent off products"
        verbose_name_plural = "percent off products"

    def summary(self) -> str:
        return f"{count(self.percent)}% off {self.goods_in_words()}{at_most(self.most)}"

    def off(self, bill: Bill) -> Off:
        fitting = self.fitting(bill)
        whole = sum((line.amount for line in fitting), ZERO)
        share = rounded(whole * self.percent / 100, bill.places)
        return Off(lines=spread(min(share, self.most or share), fitting, bill.places))
