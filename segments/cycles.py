"""Segments may ask for each other's members, but never in a circle: none of them could be worked out first."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import OneToOneField, Q

if TYPE_CHECKING:
    from .conditions import Condition
    from .models import Segment


def owner_of(top: "Condition") -> "Segment | None":
    """The segment that the saved tree with this top belongs to, as its conditions or as a draft of them."""
    if top.pk is None:
        return None
    segment = apps.get_model("segments.Segment")
    fields = [each for each in segment._meta.concrete_fields if isinstance(each, OneToOneField)]
    leads_here = reduce(or_, (Q((each.name, top.pk)) for each in fields))
    found: Segment | None = segment._default_manager.filter(leads_here).first()
    return found


def must_not_ask_for_itself(own: "Segment", asked: Iterable[int]) -> None:
    """Raise ValidationError if `own`, once it asks for those segments, would depend on itself.

    For a whole tree, saved or not: `must_not_ask_for_itself(segment, tree.segments())`.
    """
    known = {each.pk: each for each in type(own).objects.with_trees()}
    for pk in asked:
        path = _path(known, pk, own.pk)
        if path:
            links = zip(path, path[1:], strict=False)
            steps = ", and ".join(f"“{known[one]}” asks for “{known[two]}”" for one, two in links)
            reason = f"{steps}." if steps else "it would ask for itself."
            raise ValidationError(f"“{own}” cannot ask who is in “{known[pk]}”: {reason}")


def _path(known: "dict[int, Segment]", start: int, goal: int) -> list[int]:
    """The segments from `start` to `goal`, each asking for the next; empty if `start` does not depend on `goal`."""
    paths, seen = [[start]], {start}
    while paths:
        path = paths.pop(0)
        if path[-1] == goal:
            return path
        fresh = {*known[path[-1]].asks_for()} - seen
        seen |= fresh
        paths += [[*path, pk] for pk in sorted(fresh)]
    return []
