from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull

from loyaltyflow.store.models import Customer
from loyaltyflow.words import strong

from ..comparisons.attributes import OfAttribute, yes_no
from .base import Condition


class AttributeYesNo(OfAttribute, Condition):
    """An attribute that holds yes or no, such as whether they have a dog, says so.

    An attribute that holds something else, even the word “yes”, says neither.
    """

    icon = "toggle_on"
    shelf = "About them"
    labels: ClassVar[dict[str, str]] = {"operator": "The attribute"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"attribute": "has_dog", "operator": "is_yes"},
        {"attribute": "has_dog", "operator": "is_no"},
        {"attribute": "has_dog", "operator": "is_set"},
        {"attribute": "has_dog", "operator": "is_not_set"},
    ]

    class Operator(models.TextChoices):
        IS_YES = "is_yes", "is yes"
        IS_NO = "is_no", "is no"
        IS_SET = "is_set", "is known"
        IS_NOT_SET = "is_not_set", "is not known"

    operator = models.CharField(max_length=12, choices=Operator.choices, default=Operator.IS_YES)

    class Meta:
        verbose_name = "attribute: yes or no"

    def q(self, now: datetime) -> Q:
        says = yes_no(self.attribute)
        match self.operator:
            case self.Operator.IS_YES:
                return Q(Coalesce(says, Value(False)))
            case self.Operator.IS_NO:
                return ~Q(Coalesce(says, Value(True)))
        return Q(IsNull(says, self.operator == self.Operator.IS_NOT_SET))

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: editing a customer is an event."""
        return None

    def phrase(self) -> str:
        said = {
            self.Operator.IS_YES: strong("yes"),
            self.Operator.IS_NO: strong("no"),
            self.Operator.IS_SET: strong("yes or no"),
            self.Operator.IS_NOT_SET: strong("neither yes nor no"),
        }
        return f"have {said[self.Operator(self.operator)]} in the attribute “{self.attribute}”"

    def seen(self, customer: Customer, now: datetime) -> str:
        return self.found(customer, bool)
