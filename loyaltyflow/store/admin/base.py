from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin


class StoreAdmin(ModelAdmin):
    """A page that stays quick however many rows there are."""

    show_full_result_count = False
    list_filter_submit = True
    list_per_page = 50


class ReadOnlyAdmin(StoreAdmin):
    """A page to look at: what it shows is only written by the program."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
