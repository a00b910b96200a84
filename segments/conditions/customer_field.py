from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer

from ..comparisons.text import ComparesText
from .base import Condition


class CustomerField(ComparesText, Condition):
    """A field of the customer has a certain value, whatever its capitals.

    An empty field has no value: it is neither “MA” nor something other than “MA”.
    """

    icon = "person_search"
    shelf = "About them"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"field": "state", "operator": "is", "value": "MA"},
        {"field": "country", "operator": "is_not", "value": "US"},
        {"field": "email", "operator": "contains", "value": "example"},
        {"field": "email", "operator": "does_not_contain", "value": "gmail"},
        {"field": "postal_code", "operator": "starts_with", "value": "01"},
        {"field": "phone", "operator": "does_not_start_with", "value": "+1"},
        {"field": "email", "operator": "ends_with", "value": ".com"},
        {"field": "state", "operator": "in_list", "value": "MA, NH, VT"},
        {"field": "language", "operator": "not_in_list", "value": "en, es"},
        {"field": "postal_code", "operator": "matches", "value": "^0[12][0-9]{3}$"},
        {"field": "phone", "operator": "is_set"},
        {"field": "gender", "operator": "is_not_set"},
    ]

    class Field(models.TextChoices):
        STATE = "state", "state"
        COUNTRY = "country", "country"
        POSTAL_CODE = "postal_code", "postal code"
        LANGUAGE = "language", "language"
        GENDER = "gender", "gender"
        FIRST_NAME = "first_name", "first name"
        LAST_NAME = "last_name", "last name"
        EMAIL = "email", "e-mail address"
        PHONE = "phone", "phone number"
        TIME_ZONE = "time_zone", "time zone"

    field = models.CharField(max_length=30, choices=Field.choices, default=Field.STATE)

    class Meta:
        verbose_name = "customer field"

    def q(self, now: datetime) -> Q:
        return self.compares(F(self.field))

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: editing a customer is an event."""
        return None

    def phrase(self) -> str:
        return self.said(self.get_field_display())

    def seen(self, customer: Customer, now: datetime) -> str:
        value = getattr(customer, self.field)
        return f"{self.get_field_display()}: {value or 'not known'}"
