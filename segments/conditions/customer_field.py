from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer

from .base import Condition


class CustomerField(Condition):
    """A field of the customer has a certain value, whatever its capitals.

    An empty field has no value: it is neither “MA” nor something other than “MA”.
    """

    icon = "person_search"

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

    class Operator(models.TextChoices):
        IS = "is", "is"
        IS_NOT = "is_not", "is not"
        IS_SET = "is_set", "is known"
        IS_NOT_SET = "is_not_set", "is not known"
        CONTAINS = "contains", "contains"
        STARTS_WITH = "starts_with", "starts with"
        ENDS_WITH = "ends_with", "ends with"
        IN_LIST = "in_list", "is one of"

    field = models.CharField(max_length=30, choices=Field.choices, default=Field.STATE)
    operator = models.CharField(max_length=12, choices=Operator.choices, default=Operator.IS)
    value = models.CharField(
        max_length=500, blank=True, help_text="Such as MA. For “is one of”, values with commas between: MA, NH, VT."
    )

    class Meta:
        verbose_name = "customer field"

    def clean(self) -> None:
        """Refuse a question without the value that it asks for, or with one that it ignores."""
        super().clean()
        takes_value = self.operator not in (self.Operator.IS_SET, self.Operator.IS_NOT_SET)
        if takes_value and not self._listed():
            label = self.Operator(self.operator).label if self.operator in self.Operator.values else self.operator
            raise ValidationError({"value": f"“{label}” needs a value to compare with, such as MA. None was given."})
        if not takes_value and self.value.strip():
            raise ValidationError({"value": f"“{self.get_operator_display()}” compares with no value. Leave it empty."})

    def q(self, now: datetime) -> Q:
        value, operators = self.value.strip(), self.Operator
        known = ~self._is("exact", "")
        match self.operator:
            case operators.IS:
                return known & self._is("iexact", value)
            case operators.IS_NOT:
                return known & ~self._is("iexact", value)
            case operators.IS_SET:
                return known
            case operators.IS_NOT_SET:
                return ~known
            case operators.IN_LIST:
                return reduce(or_, (self._is("iexact", each) for each in self._listed()), Q(pk__in=[]))
            case operators.STARTS_WITH:
                return known & self._is("istartswith", value)
            case operators.ENDS_WITH:
                return known & self._is("iendswith", value)
            case operators.CONTAINS:
                return known & self._is("icontains", value)
        raise ValueError(f"“{self.operator}” is not an operator. Choose one of: {', '.join(operators.values)}.")

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: editing a customer is an event."""
        return None

    def summary(self) -> str:
        label, value, operators = self.get_field_display(), self.value.strip(), self.Operator
        phrases: dict[Any, str] = {
            operators.IS: f"have the {label} {value}",
            operators.IS_NOT: f"have another {label} than {value}",
            operators.IS_SET: f"have a known {label}",
            operators.IS_NOT_SET: f"have no known {label}",
            operators.CONTAINS: f"have a {label} that contains “{value}”",
            operators.STARTS_WITH: f"have a {label} that starts with “{value}”",
            operators.ENDS_WITH: f"have a {label} that ends with “{value}”",
            operators.IN_LIST: f"have the {label} {' or '.join(self._listed())}",
        }
        return phrases[self.operator]

    def seen(self, customer: Customer, now: datetime) -> str:
        value = getattr(customer, self.field)
        return f"{self.get_field_display()}: {value or 'not known'}"

    def _is(self, lookup: str, value: str) -> Q:
        return Q((f"{self.field}__{lookup}", value))

    def _listed(self) -> list[str]:
        return [each.strip() for each in self.value.split(",") if each.strip()]
