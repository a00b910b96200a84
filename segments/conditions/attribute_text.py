from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer

from ..comparisons.attributes import OfAttribute, text
from ..comparisons.text import ComparesText
from .base import Condition


class AttributeText(OfAttribute, ComparesText, Condition):
    """An attribute that holds a text, such as the favourite roast, has a certain value, whatever its capitals.

    An attribute that is empty, or holds a number, a list or yes or no, has no text: it is neither “dark” nor other.
    """

    icon = "notes"
    shelf = "About them"
    words = "interest preference custom"
    labels: ClassVar[dict[str, str]] = {"operator": "The text"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"attribute": "roast", "operator": "is", "value": "dark"},
        {"attribute": "roast", "operator": "is_not", "value": "dark"},
        {"attribute": "roast", "operator": "contains", "value": "ar"},
        {"attribute": "roast", "operator": "does_not_contain", "value": "ar"},
        {"attribute": "roast", "operator": "starts_with", "value": "d"},
        {"attribute": "roast", "operator": "does_not_start_with", "value": "d"},
        {"attribute": "roast", "operator": "ends_with", "value": "k"},
        {"attribute": "roast", "operator": "in_list", "value": "dark, medium"},
        {"attribute": "roast", "operator": "not_in_list", "value": "dark, medium"},
        {"attribute": "roast", "operator": "matches", "value": "^(dark|medium)$"},
        {"attribute": "roast", "operator": "is_set"},
        {"attribute": "roast", "operator": "is_not_set"},
    ]

    class Meta:
        verbose_name = "attribute: text"

    def q(self, now: datetime) -> Q:
        return self.compares(text(self.attribute))

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: editing a customer is an event."""
        return None

    def phrase(self) -> str:
        return self.said(f"attribute “{self.attribute}”")

    def seen(self, customer: Customer, now: datetime) -> str:
        return self.found(customer, str)
