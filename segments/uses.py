from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from .checks import condition_types


@dataclass(frozen=True)
class Use:
    """One thing that names a segment, and so keeps it from being deleted and, unless it is past, archived."""

    kind: str  # as staff call it, such as “workflow” or “segment”
    name: str
    url: str  # of its page
    is_live: bool
    starts_on_entry: bool = False  # whoever enters the segment starts it
    drops_on_leave: bool = False  # whoever leaves the segment leaves it
    is_past: bool = False  # kept for the record: nobody goes by it any more, and it cannot be changed
    segment: int | None = None  # its id, if it is itself a segment

    def __str__(self) -> str:
        return f"{self.kind} “{self.name}”"


# Tells what names the segments with these ids, each use with the id; the statements do not depend on how many.
Teller = Callable[[Collection[int]], Iterable[tuple[int, Use]]]


def uses_of(segments: Iterable[int], tellers: Iterable[Teller]) -> dict[int, list[Use]]:
    """What names each of the segments with these ids, the live ones first."""
    found: dict[int, list[Use]] = {pk: [] for pk in segments}
    for tell in tellers:
        for pk, use in tell(found.keys()):
            found[pk].append(use)
    return {pk: sorted(uses, key=lambda use: not use.is_live) for pk, uses in found.items()}


def trees_naming(segments: Collection[int]) -> dict[int, set[int]]:
    """By the id at its top each tree, of whatever it is the condition, that names one of the segments; and which."""
    found: dict[int, set[int]] = {}
    for kind in condition_types():
        for field in kind._meta.concrete_fields:
            if field.is_relation and field.related_model._meta.label == "segments.Segment":
                rows = kind._default_manager.non_polymorphic().filter(**{f"{field.name}__any": list(segments)})
                for pk, tree, named in rows.order_by().values_list("pk", "tree", field.attname):
                    found.setdefault(tree or pk, set()).add(named)
    return found
