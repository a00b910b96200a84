from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from loyaltyflow.store.models import StoreSettings

from .base import StoreAdmin


@admin.register(StoreSettings)
class StoreSettingsAdmin(StoreAdmin):
    """The one row of settings; its menu entry opens the form itself."""

    fieldsets = [
        (None, {"fields": ["name", ("time_zone", "locale"), ("country", "state"), "currency"]}),
        ("E-mail", {"fields": [("sender_name", "sender_email"), "postal_address"]}),
        ("Purchases", {"fields": ["cart_idle_minutes"]}),
        ("Conversions", {"fields": [("click_window_days", "open_window_days")]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: StoreSettings | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:store_storesettings_change", args=[StoreSettings.load().pk]))
