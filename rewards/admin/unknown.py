"""A warning of categories and stores that nothing is called by: a slip of the pen would fit no bill, silently."""

from typing import Any

from django.contrib import messages
from django.db.models.functions import Lower
from django.http import HttpRequest

from loyaltyflow.store.models import Order, Product
from loyaltyflow.words import listed, plain


def warn_of_unknown(request: HttpRequest, row: Any) -> None:
    """Say which of the categories and stores that the saved row names are in no product and in no purchase."""
    named = [*getattr(row, "categories", ()), *getattr(row, "off_categories", ())]
    if categories := _unknown_categories(named):
        messages.warning(request, f"No product is of {plain(listed(_quoted(categories)))} yet. Is it spelt like that?")
    if stores := [
        each for each in getattr(row, "stores", ()) if not Order.objects.filter(store_location=each).exists()
    ]:
        why = "yet. Is it spelt like that, capitals too?"
        messages.warning(request, f"No purchase was made at {plain(listed(_quoted(stores)))} {why}")


def _unknown_categories(named: list[str]) -> list[str]:
    if not named:
        return []
    lower = Product.objects.annotate(lower=Lower("category")).filter(lower__in=[each.lower() for each in named])
    known = set(lower.values_list("lower", flat=True).distinct())
    return [each for each in dict.fromkeys(named) if each.lower() not in known]


def _quoted(words: list[str]) -> list[str]:
    return [f"“{each}”" for each in words]
