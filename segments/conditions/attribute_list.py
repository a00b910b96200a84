from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.db.models import Q
from django.db.models.expressions import Combinable
from django.db.models.lookups import IsNull

from loyaltyflow.store.models import Customer
from loyaltyflow.words import listed, strong

from ..comparisons.attributes import HasTexts, IsEmptyList, OfAttribute, json_list
from .base import Condition


class AttributeList(OfAttribute, Condition):
    """An attribute that holds a list, such as their interests, has certain texts in it, whatever their capitals.

    An attribute that holds something else is no list: neither is it empty, nor does it lack anything.
    """

    icon = "checklist"
    shelf = "About them"
    labels: ClassVar[dict[str, str]] = {"operator": "The list"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"attribute": "interests", "operator": "has_any", "includes": "tea, coffee"},
        {"attribute": "interests", "operator": "has_all", "includes": "tea, coffee"},
        {"attribute": "interests", "operator": "has_none", "includes": "tea, coffee"},
        {"attribute": "interests", "operator": "is_empty"},
        {"attribute": "interests", "operator": "is_not_empty"},
        {"attribute": "interests", "operator": "is_set"},
        {"attribute": "interests", "operator": "is_not_set"},
    ]

    class Operator(models.TextChoices):
        HAS_ANY = "has_any", "includes any of"
        HAS_ALL = "has_all", "includes all of"
        HAS_NONE = "has_none", "includes none of"
        IS_EMPTY = "is_empty", "is empty"
        IS_NOT_EMPTY = "is_not_empty", "is not empty"
        IS_SET = "is_set", "is known"
        IS_NOT_SET = "is_not_set", "is not known"

    operator = models.CharField(max_length=12, choices=Operator.choices, default=Operator.HAS_ANY)
    includes = models.CharField(
        "includes",
        max_length=4_000,
        blank=True,
        validators=[ProhibitNullCharactersValidator()],
        help_text="With commas between them: tea, coffee. Capitals do not matter.",
    )

    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {
        "includes": ("operator", {Operator.HAS_ANY, Operator.HAS_ALL, Operator.HAS_NONE})
    }

    class Meta:
        verbose_name = "attribute: list"

    def clean(self) -> None:
        """Refuse a question without the values that it asks for."""
        super().clean()
        if self.asks("includes") and not self.listed():
            label = self.Operator(self.operator).label
            raise ValidationError({"includes": f"“{label}” needs values, such as tea, coffee. None was given."})

    def q(self, now: datetime) -> Q:
        found, operators = json_list(self.attribute), self.Operator
        known = Q(IsNull(found, False))
        match self.operator:
            case operators.HAS_ANY:
                return known & Q(HasTexts(found, self.listed(), "&&"))
            case operators.HAS_ALL:
                return known & Q(HasTexts(found, self.listed(), "@>"))
            case operators.HAS_NONE:
                return known & ~Q(HasTexts(found, self.listed(), "&&"))
            case operators.IS_EMPTY:
                return known & Q(IsEmptyList(found))
            case operators.IS_NOT_EMPTY:
                return known & ~Q(IsEmptyList(found))
            case operators.IS_SET:
                return known
        return ~known

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: editing a customer is an event."""
        return None

    def phrase(self) -> str:
        operators, name = self.Operator, f"the list “{self.attribute}”"
        any_of, all_of = listed(self.listed()), listed(self.listed(), "and")
        phrases: dict[str, str] = {
            operators.HAS_ANY: f"have {any_of} in {name}",
            operators.HAS_ALL: f"have {all_of} in {name}",
            operators.HAS_NONE: f"have {name} {strong('without')} {any_of} in it",
            operators.IS_EMPTY: f"have {strong('nothing')} in {name}",
            operators.IS_NOT_EMPTY: f"have {strong('something')} in {name}",
            operators.IS_SET: f"have a {strong('known')} list “{self.attribute}”",
            operators.IS_NOT_SET: f"have {strong('no known')} list “{self.attribute}”",
        }
        return phrases[self.operator]

    def seen(self, customer: Customer, now: datetime) -> str:
        return self.found(customer, list)

    def listed(self) -> list[str]:
        """The values that are asked for."""
        return [each.strip() for each in self.includes.split(",") if each.strip()]
