from datetime import date, datetime
from typing import Any, ClassVar

from django.db.models import Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer
from loyaltyflow.words import strong

from ..comparisons.attributes import OfAttribute, instant
from ..comparisons.dates import ComparesDate, DateOperator
from .base import Condition


class AttributeDate(OfAttribute, ComparesDate, Condition):
    """An attribute that holds a day, such as when a document expires, lies in a certain time.

    It is written as 2026-12-31 or as a time such as 2026-12-31T18:00; without +01:00 or Z at its end, a time is read
    on the store's clock. An attribute that holds something else has no day.
    """

    icon = "calendar_clock"
    shelf = "Dates of theirs"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"attribute": "document_expires", "operator": "past_days", "days": 7},
        {"attribute": "document_expires", "operator": "next_days", "days": 30},
        {"attribute": "document_expires", "operator": "more_than_days_ago", "days": 7},
        {"attribute": "document_expires", "operator": "more_than_days_ahead", "days": 7},
        {"attribute": "document_expires", "operator": "on", "date": date(2026, 11, 23)},
        {"attribute": "document_expires", "operator": "not_on", "date": date(2026, 11, 23)},
        {"attribute": "document_expires", "operator": "before", "date": date(2026, 11, 23)},
        {"attribute": "document_expires", "operator": "on_or_before", "date": date(2026, 11, 23)},
        {"attribute": "document_expires", "operator": "after", "date": date(2026, 11, 23)},
        {"attribute": "document_expires", "operator": "on_or_after", "date": date(2026, 11, 23)},
        {
            "attribute": "document_expires",
            "operator": "between",
            "date": date(2026, 11, 1),
            "until": date(2026, 11, 30),
        },
        {"attribute": "document_expires", "operator": "is_set"},
        {"attribute": "document_expires", "operator": "is_not_set"},
    ]

    class Meta:
        verbose_name = "attribute: day"

    def q(self, now: datetime) -> Q:
        return self.compares(instant(self.attribute, now), now)

    def flips(self, now: datetime) -> Combinable | None:
        return self.turns(instant(self.attribute, now), now)

    def phrase(self) -> str:
        match self.operator:
            case DateOperator.IS_SET:
                return f"have a day in the attribute “{self.attribute}” that {strong('is known')}"
            case DateOperator.IS_NOT_SET:
                return f"have {strong('no known day')} in the attribute “{self.attribute}”"
        return f"have a day in the attribute “{self.attribute}” that is {self.said()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        return self.found(customer, str)
