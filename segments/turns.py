"""When a customer will meet conditions, or no longer, if nothing happens but that time goes by."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from loyaltyflow.store.models import Customer

from .conditions import Condition

HOPS = 20  # instants at which the answer may change, and does not; after so many the answer is that we do not know


@dataclass(frozen=True)
class Turn:
    """The instant at which a customer's answer changes by itself."""

    at: datetime
    joins: bool  # False: leaves


def turn(tree: Condition, customer: Customer, now: datetime) -> Turn | None:
    """When the customer comes to meet the tree, or ceases to, if nothing happens; None if that is not known.

    Segments that the tree asks for are taken as they are at `now`.
    """
    holds, at = _holds(tree, customer, now), now
    for _ in range(HOPS):
        instants = tree.flips(at)
        if instants is None:
            return None
        due = Customer.objects.annotate(due=instants).values_list("due", flat=True).get(pk=customer.pk)
        if due is None:
            return None
        at = max(due, at.astimezone(UTC) + timedelta(microseconds=1)).astimezone(now.tzinfo)
        if _holds(tree, customer, at) != holds:
            return Turn(at, joins=not holds)
    return None


def _holds(tree: Condition, customer: Customer, now: datetime) -> bool:
    return Customer.objects.filter(tree.q(now), pk=customer.pk).exists()
