"""Condition trees in one line."""

from datetime import datetime

from loyaltyflow.store.models import Customer
from segments.conditions import Condition
from segments.models import Segment


def grow(kind: type[Condition], *parts: Condition, **fields) -> Condition:
    """A saved condition; the given parts move below it."""
    made = kind.objects.create(**fields)
    for position, part in enumerate(parts):
        for each in list(part.walk()):
            each.parent = made if each.pk == part.pk else each.parent
            each.position = position if each.pk == part.pk else each.position
            each.save()
        part.__dict__.pop("_parts", None)
    return read(made)


def read(condition: Condition) -> Condition:
    """The same condition as the database knows it."""
    return Condition.objects.get(pk=condition.pk)


def segment(root: Condition | None = None, name: str = "Segment", **fields) -> Segment:
    """A live segment that is not built yet."""
    return Segment.objects.create(**{"name": name, "root": root, "is_active": True, **fields})


def met_by(condition: Condition, now: datetime) -> set[str]:
    """The first names of the customers who meet the condition."""
    return set(Customer.objects.filter(condition.q(now)).values_list("first_name", flat=True))


def flips_at(condition: Condition, who: Customer, now: datetime) -> datetime | None:
    """When the customer's answer may change by itself."""
    return Customer.objects.annotate(due=condition.flips(now)).get(pk=who.pk).due
