from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from loyaltyflow.store.models import Product
from loyaltyflow.store.templatetags.figures import count
from segments.models import Segment

from .tiers import Tier

DAYS = {
    1: "Monday",
    2: "Tuesday",
    3: "Wednesday",
    4: "Thursday",
    5: "Friday",
    6: "Saturday",
    7: "Sunday",
}


class Multiplier(models.Model):
    """So many times the points that purchases earn: for some customers, goods or hours. What is left empty is any.

    0 lets them earn nothing, whatever other multipliers say.
    """

    name = models.CharField(max_length=100, unique=True, help_text="As staff read it, such as Double points for VIPs.")
    factor = models.DecimalField(
        "times",
        max_digits=5,
        decimal_places=2,
        default=Decimal(2),
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="2 doubles the points, 0 gives none.",
    )
    segments = models.ManyToManyField(
        Segment, blank=True, related_name="multipliers", help_text="Only for members of one of these."
    )
    tiers = models.ManyToManyField(Tier, blank=True, related_name="multipliers", help_text="Only for these tiers.")
    products = models.ManyToManyField(Product, blank=True, related_name="+", help_text="Only for these products.")
    categories = ArrayField(
        models.CharField(max_length=120),
        default=list,
        blank=True,
        help_text="Only for products of these categories, with commas between them, such as Tea, Coffee.",
    )
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(7)]),
        default=list,
        blank=True,
        help_text="Only on these days.",
    )
    from_hour = models.TimeField("from", null=True, blank=True, help_text="On the store's clock.")
    until_hour = models.TimeField(
        "until", null=True, blank=True, help_text="On the store's clock; may be after midnight, and counts as its eve."
    )
    starts_at = models.DateTimeField("begins", null=True, blank=True)
    ends_at = models.DateTimeField("ends", null=True, blank=True)
    is_active = models.BooleanField("active", default=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(starts_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="a_multiplier_ends_after_it_starts",
            ),
            models.CheckConstraint(condition=Q(factor__range=(0, 100)), name="a_multiplier_is_from_0_to_100"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse hours that leave no time between them."""
        super().clean()
        if self.from_hour is not None and self.from_hour == self.until_hour:
            raise ValidationError({"until_hour": "The hours begin and end at the same time. Leave both empty for all."})

    def summary(self) -> str:
        """How many times the points, for whom, for what and when, as a sentence."""
        times = f"{count(self.factor)} times the points" if self.factor else "No points"
        goods = [*self.categories, *(each.name for each in self.products.all())]
        days = [DAYS[day] for day in sorted(self.weekdays)]
        parts = [
            _among("for members of", [f"“{each}”" for each in self.segments.all()]),
            _among("in tier", [str(each) for each in self.tiers.all()]),
            _among("on", goods),
            _among("on", days),
            self._hours(),
        ]
        return " ".join([times, *(each for each in parts if each)]) + ("" if any(parts) else " on every purchase")

    def _hours(self) -> str:
        start = f"from {self.from_hour:%-H:%M}" if self.from_hour else ""
        return f"{start} until {self.until_hour:%-H:%M}".strip() if self.until_hour else start


def _among(before: str, names: list[str]) -> str:
    """The names as the end of a sentence, the first of many; empty for none."""
    shown = [*names[:3], f"{len(names) - 3} more"] if len(names) > 4 else names
    if not shown:
        return ""
    return f"{before} {' or '.join([', '.join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)}"
