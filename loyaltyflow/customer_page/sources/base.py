from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import F, QuerySet
from django.db.models.expressions import Combinable
from django.utils.safestring import SafeString

from analytics.links import page_of
from loyaltyflow.store.models import Customer


@dataclass(frozen=True)
class Told:
    """One line of the timeline: what happened, what else is known of it, how much it moved, and where its row is."""

    icon: str
    what: str
    more: str | SafeString = ""
    much: str = ""
    link: str = ""
    look: str = ""


class Source:
    """Rows that tell what happened to a customer at one moment each.

    Each is one class; it reads the rows of one page of the timeline in a fixed number of statements.
    """

    group: ClassVar[str]  # the filter under which staff find it
    permission: ClassVar[str]  # who may see such rows
    at: ClassVar[str | Combinable]  # the moment, as a field or an expression over the rows

    def rows(self, customer: Customer) -> QuerySet[Any]:
        """The customer's rows, however many."""
        raise NotImplementedError(f"{type(self).__name__} must define rows(customer).")

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        """What the rows with these numbers say."""
        raise NotImplementedError(f"{type(self).__name__} must define tell(numbers, now).")

    def moments(self, customer: Customer) -> QuerySet[Any]:
        """The customer's rows as moment and number."""
        moment = F(self.at) if isinstance(self.at, str) else self.at
        return self.rows(customer).order_by().annotate(told_at=moment, told_number=F("pk"))


def link(row: Any) -> str:
    """The address of the row's page; "" if it has none."""
    return page_of(type(row), row.pk)


def joined(*parts: str) -> str:
    """What is known of the parts, with dots between."""
    return " · ".join(part for part in parts if part)
