from django.contrib import admin

from loyaltyflow.store.models import Product

from ..templatetags import figures as written
from .base import StoreAdmin


@admin.register(Product)
class ProductAdmin(StoreAdmin):
    list_display = ["name", "sku", "category", "brand", "costs", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["name", "sku", "category"]
    search_help_text = "Name, SKU or category"
    ordering = ["-pk"]

    @admin.display(description="Price", ordering="price")
    def costs(self, product: Product) -> str:
        return written.money(product.price)
