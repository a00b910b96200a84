from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import URLField
from django.http import HttpRequest
from django.utils import timezone

from loyaltyflow.store.buyers import tell_of_new_group
from loyaltyflow.store.models import Product

from ..templatetags import figures as written
from .base import StoreAdmin

LABELS = {"image_url": "Address of its picture", "url": "Address of its page", "is_active": "Is sold"}


@admin.register(Product)
class ProductAdmin(StoreAdmin):
    list_display = ["name", "sku", "category", "brand", "costs", "is_sold"]
    list_filter = ["is_active"]
    search_fields = ["name", "sku", "category"]
    search_help_text = "Name, SKU or category"
    ordering = ["-pk"]

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        """One that is sold no more is kept: rules and discounts for it alone would be for everything without it."""
        return False

    @admin.display(description="Price", ordering="price")
    def costs(self, product: Product) -> str:
        return written.money(product.price)

    @admin.display(description="Sold", boolean=True, ordering="is_active")
    def is_sold(self, product: Product) -> bool:
        return product.is_active

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if label := LABELS.get(db_field.name):
            options["label"] = label
        if isinstance(db_field, URLField):
            options["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **options)

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change or {"sku", "category", "brand"} & {*form.changed_data}:
            tell_of_new_group([obj.pk], timezone.now(), "admin")
