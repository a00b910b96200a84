from decimal import Decimal
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models

from loyaltyflow.store.templatetags.figures import count, money

from .base import EarningRule


class PointsPerOrder(EarningRule):
    """The same points for each purchase, however large; if you like, from an amount on, or with some goods only."""

    icon = "receipt_long"
    rates: ClassVar = ("0", "0", "points", "points", "0", "min_spend")
    words = "{points} for the purchase"

    points = models.PositiveIntegerField(default=10, validators=[MinValueValidator(1)])
    min_spend = models.DecimalField(
        "least spent",
        max_digits=12,
        decimal_places=2,
        default=Decimal(0),
        db_default=Decimal(0),
        validators=[MinValueValidator(0)],
        help_text="On the goods that count; 0: any purchase.",
    )

    class Meta:
        verbose_name = "points for each purchase"
        verbose_name_plural = "points for each purchase"

    def summary(self) -> str:
        said = f"{count(self.points)} {'point' if self.points == 1 else 'points'} for each purchase"
        goods = self.goods()
        least = f" of {money(self.min_spend)} or more" if self.min_spend else ""
        return f"{said}{least}{f' with {goods}' if goods else ''}"
