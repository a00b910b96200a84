from decimal import Decimal
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models

from loyaltyflow.store.templatetags.figures import money
from loyaltyflow.words import listed, plain

from ..bill import ZERO, Bill, Off, rounded, spread
from .base import Discount
from .fitting import must_name_categories, nothing_fits


class AmountOffCategory(Discount):
    """So much off the products of a category together, such as $5.00 off Flower; other products stay as they are."""

    icon = "category"
    takes_off_lines = True
    examples: ClassVar[list[dict[str, Any]]] = [{"amount": "5.00", "off_categories": ["Flower"]}]

    amount = models.DecimalField(max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))])
    off_categories = ArrayField(
        models.CharField(max_length=120),
        verbose_name="off these categories",
        help_text="With commas between them, such as Flower, Bakery.",
    )

    class Meta:
        verbose_name = "amount off a category"
        verbose_name_plural = "amounts off a category"

    def clean(self) -> None:
        super().clean()
        must_name_categories(self.off_categories)

    def summary(self) -> str:
        return f"{money(self.amount)} off {plain(listed(self.off_categories))}."

    def off(self, bill: Bill) -> Off:
        fitting = bill.of_categories(self.off_categories)
        if not fitting:
            raise nothing_fits(plain(listed(self.off_categories)))
        whole = sum((line.amount for line in fitting), ZERO)
        return Off(lines=spread(min(rounded(self.amount, bill.places), whole), fitting, bill.places))
