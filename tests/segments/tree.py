"""Condition trees in one line."""

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
