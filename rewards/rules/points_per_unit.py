from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models

from loyaltyflow.store.templatetags.figures import count

from .base import EarningRule


class PointsPerUnit(EarningRule):
    """The same points for each unit of some products or categories that members buy, whatever it costs."""

    icon = "inventory_2"
    rates: ClassVar = ("0", "points", "0", "points", "0", "0")
    words = "{points} for each of {units}"

    points = models.PositiveIntegerField(default=10, validators=[MinValueValidator(1)])

    class Meta:
        verbose_name = "points for each product"
        verbose_name_plural = "points for each product"

    def summary(self) -> str:
        said = f"{count(self.points)} {'point' if self.points == 1 else 'points'}"
        return f"{said} for each {self.goods() or 'product'} bought"
