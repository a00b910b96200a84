from django.db import models

from loyaltyflow.store.models import Product

from .base import Condition


class Count(models.TextChoices):
    AT_LEAST = "at_least", "at least"
    AT_MOST = "at_most", "at most"
    EXACTLY = "exactly", "exactly"


class MadePurchase(Condition):
    """Has bought so many times, ever or in the last days."""

    operator = models.CharField(max_length=10, choices=Count.choices, default=Count.AT_LEAST)
    count = models.PositiveIntegerField(default=1)
    window_days = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: ever.")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    category = models.CharField(max_length=120, blank=True)
