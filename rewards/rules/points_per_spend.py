from decimal import Decimal
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models

from loyaltyflow.store.templatetags.figures import count, money

from .base import EarningRule


class PointsPerSpend(EarningRule):
    """Points for the money that members spend, on all goods or on some.

    What counts is what was paid for the goods: after discounts and redeemed points, without tax, shipping and gift
    cards. The order's total is rounded down, not each line.
    """

    icon = "payments"
    rates: ClassVar = ("points_per_unit / unit", "0", "0", "points_per_unit", "unit", "0")
    words = "{points} per {each} on {net} net"

    points_per_unit = models.DecimalField(
        "points",
        max_digits=8,
        decimal_places=3,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.001"))],
    )
    unit = models.DecimalField(
        "for each",
        max_digits=8,
        decimal_places=2,
        default=Decimal(1),
        db_default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text="So much spent earns those points: 10.00 means 1 point for every 10.00.",
    )

    class Meta:
        verbose_name = "points for money spent"
        verbose_name_plural = "points for money spent"

    def summary(self) -> str:
        said = f"{count(self.points_per_unit)} {'point' if self.points_per_unit == 1 else 'points'}"
        goods = self.goods()
        return f"{said} for every {money(self.unit)} spent{f' on {goods}' if goods else ''}"
