from django.core.validators import MinValueValidator
from django.db import models


class Product(models.Model):
    """Something the store sells."""

    sku = models.CharField("SKU", max_length=64, unique=True)
    name = models.CharField(max_length=200)
    category = models.CharField(max_length=120, blank=True, db_index=True)
    brand = models.CharField(max_length=120, blank=True)
    price = models.DecimalField(
        max_digits=12, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    image_url = models.URLField(max_length=500, blank=True)
    url = models.URLField(max_length=500, blank=True)
    is_active = models.BooleanField(default=True, db_default=True)
    earns_points = models.BooleanField(
        default=True, db_default=True, help_text="Off for what is like money, such as gift cards: it earns no points."
    )

    def __str__(self) -> str:
        return self.name
