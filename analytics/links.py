"""Ways to the admin's lists."""

from typing import Any
from urllib.parse import urlencode

from django.db.models import Model
from django.urls import NoReverseMatch, reverse


def rows_of(model: type[Model], **filters: Any) -> str:
    """The address of the admin's list of the model, filtered; "" if the admin has no such list."""
    try:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    except NoReverseMatch:
        return ""
    return f"{address}?{urlencode(filters)}" if filters else address


def page_of(model: type[Model], pk: Any) -> str:
    """The address of the admin's page of one row; "" if the admin has no such page."""
    try:
        return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])
    except NoReverseMatch:
        return ""
