from collections.abc import Sequence
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from loyaltyflow.store.templatetags.figures import count, money

from ..bill import ZERO, Line, rounded


class Share(models.Model):
    """Takes a share off, such as 10%."""

    percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(100)],
        help_text="10 means 10%.",
    )

    class Meta:
        abstract = True

    def share_of(self, lines: Sequence[Line], places: int) -> Decimal:
        """Its share of what the lines cost together, in whole coins."""
        return rounded(sum((line.amount for line in lines), ZERO) * self.percent / 100, places)

    def percent_in_words(self) -> str:
        """Its share, such as “10%”."""
        return f"{count(self.percent)}%"


class Limited(models.Model):
    """Takes off at most so much."""

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
        abstract = True

    def limited(self, amount: Decimal) -> Decimal:
        """The amount, or the most that it takes off."""
        return min(amount, self.most or amount)

    def limit_in_words(self) -> str:
        """The end of its sentence, such as “, at most $20.00.”."""
        return f", at most {money(self.most)}." if self.most else "."
