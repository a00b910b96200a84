from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from loyaltyflow.store.templatetags.figures import count

from ..bill import Bill, Off
from .base import Discount


class PointsMultiplier(Discount):
    """The bill earns some times the points, such as 3 times."""

    icon = "stars"
    needs_customer = True
    examples: ClassVar[list[dict[str, Any]]] = [{"factor": "2"}]

    factor = models.DecimalField(
        "times the points",
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("1.01")), MaxValueValidator(100)],
    )

    class Meta:
        verbose_name = "times the points"
        verbose_name_plural = "times the points"

    def summary(self) -> str:
        return f"{count(self.factor)} times the points."

    def off(self, bill: Bill) -> Off:
        return Off(factor=self.factor)
