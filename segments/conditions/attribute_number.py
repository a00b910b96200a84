from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer
from loyaltyflow.words import strong

from ..comparisons.attributes import OfAttribute, number
from ..comparisons.number import ComparesNumber, NumberOperator
from .base import Condition


class AttributeNumber(OfAttribute, ComparesNumber, Condition):
    """An attribute that holds a number, such as that of children, is compared with another number.

    An attribute that holds something else, even digits within quotes, has no number.
    """

    icon = "pin"
    shelf = "About them"
    labels: ClassVar[dict[str, str]] = {"operator": "The number"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"attribute": "children", "operator": "at_least", "value": 2},
        {"attribute": "children", "operator": "at_most", "value": 2},
        {"attribute": "children", "operator": "more_than", "value": 1},
        {"attribute": "children", "operator": "less_than", "value": 3},
        {"attribute": "children", "operator": "is", "value": 2},
        {"attribute": "children", "operator": "is_not", "value": 2},
        {"attribute": "children", "operator": "between", "value": 1.5, "upper": 3},
        {"attribute": "children", "operator": "is_set"},
        {"attribute": "children", "operator": "is_not_set"},
    ]

    class Meta:
        verbose_name = "attribute: number"

    def q(self, now: datetime) -> Q:
        return self.compares(number(self.attribute))

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: editing a customer is an event."""
        return None

    def phrase(self) -> str:
        match self.operator:
            case NumberOperator.IS_SET:
                return f"have a number in the attribute “{self.attribute}” that {strong('is known')}"
            case NumberOperator.IS_NOT_SET:
                return f"have {strong('no known number')} in the attribute “{self.attribute}”"
        return f"have {self.said()} in the attribute “{self.attribute}”"

    def seen(self, customer: Customer, now: datetime) -> str:
        return self.found(customer, int, float)
