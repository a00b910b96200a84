from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from loyaltyflow.store.models import Customer


class Budget(models.Model):
    """The most that may be given away by whatever draws on it: points, vouchers or money off."""

    class Unit(models.TextChoices):
        POINTS = "points", "Points"
        VOUCHERS = "vouchers", "Vouchers"
        MONEY = "money", "Money off"

    class Period(models.TextChoices):
        EVER = "ever", "Ever"
        DAY = "day", "A day"
        WEEK = "week", "A week"
        MONTH = "month", "A month"
        YEAR = "year", "A year"

    class Behaviour(models.TextChoices):
        HARD = "hard", "Refuse what does not fit any more"
        DYNAMIC = "dynamic", "Give what is left"

    name = models.CharField(max_length=100, unique=True)
    unit = models.CharField(max_length=10, choices=Unit.choices)
    amount = models.DecimalField(
        max_digits=14, decimal_places=2, validators=[MinValueValidator(0)], help_text="For all customers together."
    )
    per_customer = models.DecimalField(
        max_digits=14, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    period = models.CharField(max_length=10, choices=Period.choices, default=Period.EVER)
    behaviour = models.CharField("at its end", max_length=10, choices=Behaviour.choices, default=Behaviour.HARD)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Spending(models.Model):
    """How much of a budget was given in one period, to everybody (no customer) or to one of them."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="spendings", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    period_start = models.DateField(help_text="The first day of the period; 1970-01-01 if it is ever.")
    used = models.DecimalField(max_digits=14, decimal_places=2, default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "period_start", "customer"],
                name="one_spending_per_budget_period_and_customer",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(used__gte=0), name="no_budget_is_used_below_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.used} of {self.budget}"
