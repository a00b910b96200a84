import re
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Lower
from django.utils import timezone

from loyaltyflow.store.clock import store
from loyaltyflow.store.intake import Context, cells
from loyaltyflow.store.models import Customer, StoreSettings
from loyaltyflow.store.places import state_name

from ..comparisons.text import ComparesText, TextOperator
from .base import Condition

PHONE_NUMBER = r"^\+[1-9][0-9]{6,14}$"  # E.164, as the imports write it
BETWEEN_DIGITS = re.compile(r"[\s().-]+")
EXACT = {TextOperator.IS, TextOperator.IS_NOT, TextOperator.IN_LIST, TextOperator.NOT_IN_LIST}


class CustomerField(ComparesText, Condition):
    """A field of the customer's page has a certain value, whatever its capitals.

    An empty field has no value: it is neither “MA” nor something other than “MA”. A phone number is known if it is one.
    """

    icon = "person_search"
    shelf = "About them"
    words = "lives address province zip"
    labels: ClassVar[dict[str, str]] = {"operator": "Its value"}
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

    field = models.CharField(
        max_length=30,
        choices=Field.choices,
        default=Field.STATE,
        help_text="What is compared, as the customer's page shows it.",
    )

    class Meta:
        verbose_name = "customer field"

    def clean(self) -> None:
        """Write places as codes and phone numbers without spaces, as customers have them."""
        super().clean()
        if self.operator in EXACT:
            context = Context.of(StoreSettings.load(), timezone.now(), "")
            self.value = ", ".join(self._coded(each, context) for each in self.listed())
        elif self.field == self.Field.PHONE and self.operator != TextOperator.MATCHES:
            self.value = BETWEEN_DIGITS.sub("", self.value)

    def warnings(self) -> list[str]:
        """A sentence for each value that no customer has, which may be a slip."""
        if self.operator not in EXACT:
            return []
        low = Lower(self.field)
        asked = {each.lower(): each for each in self.listed()}
        known = Customer.objects.annotate(low=low).filter(low__in=asked).values_list("low", flat=True).distinct()
        label = self.get_field_display()
        return [f"No customer has the {label} “{asked[each]}” yet." for each in sorted({*asked} - {*known})]

    def q(self, now: datetime) -> Q:
        return self.compares(self._text(), is_null=False)

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: editing a customer is an event."""
        return None

    def phrase(self) -> str:
        said = self.said(self.get_field_display())
        if self.field not in (self.Field.STATE, self.Field.COUNTRY):
            return said
        home = said.removeprefix(f"have the {self.get_field_display()} ")
        return f"live in {home}" if home != said else said

    def shown(self, value: str) -> str:
        """A state by its name in the store's country: Massachusetts."""
        is_code = self.field == self.Field.STATE and self.operator in EXACT
        return state_name(value, store().country) if is_code else value

    def seen(self, customer: Customer, now: datetime) -> str:
        value = Customer.objects.annotate(text=self._text()).values_list("text", flat=True).get(pk=customer.pk)
        return f"{self.get_field_display()}: {value or 'not known'}"

    def _text(self) -> Combinable:
        """The field; a phone number that is none is not known."""
        if self.field != self.Field.PHONE:
            return F(self.field)
        return Case(When(phone__regex=PHONE_NUMBER, then=F("phone")), default=Value(""))

    def _coded(self, value: str, context: Context) -> str:
        """The value as customers have it: MA for Massachusetts; as it is if it says nothing known."""
        try:
            match self.field:
                case self.Field.STATE:
                    return cells.state(value, context.country)
                case self.Field.COUNTRY:
                    return cells.country(value, context)
                case self.Field.PHONE:
                    return cells.phone(value, context)
        except ValueError:
            return value
        return value
