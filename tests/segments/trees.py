"""Random condition trees, as plain values: groups of groups of what the types show as their examples."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import models
from hypothesis import strategies as st

from segments.checks import condition_types
from segments.conditions import Condition
from segments.exchange.trees import Unreadable, grown, own_fields
from segments.models import Segment

KINDS = [kind for kind in condition_types() if kind.asked_of_segments and not kind.takes_parts]
GROUPS = [kind.type_name() for kind in condition_types() if kind.takes_parts]
WHOLE = (0, 1, 2, 3, 5, 7, 21, 30)
AMOUNTS = (Decimal(0), Decimal(1), Decimal("2.5"), Decimal(20), Decimal(50))
DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(0, 365, 15)]

Plain = dict[str, Any]


def name_of(number: int) -> str:
    """The name of the segment that the tree of this number becomes."""
    return f"Tree {number}"


@st.composite
def forests(draw: st.DrawFn, size: int) -> list[Plain]:
    """Trees, of which each may ask for the members of those before it."""
    return [draw(trees(number)) for number in range(size)]


@st.composite
def trees(draw: st.DrawFn, number: int, depth: int = 3) -> Plain:
    """A question, or a group of up to three trees."""
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return draw(leaves(number))
    parts = draw(st.lists(trees(number, depth - 1), min_size=0 if depth < 3 else 1, max_size=3))
    return {draw(st.sampled_from(GROUPS)): parts}


@st.composite
def leaves(draw: st.DrawFn, number: int) -> Plain:
    """An example of some type, often with other numbers and days than it has; the name of a tree for a segment."""
    kind = draw(st.sampled_from(KINDS))
    example = dict(draw(st.sampled_from(kind.examples)))
    for field in own_fields(kind):
        others = _others(field, number)
        if others and example.get(field.name) is not None and draw(st.booleans()):
            example[field.name] = draw(st.sampled_from(others))
    return {kind.type_name(): example}


def _others(field: Any, number: int) -> Any:
    if isinstance(field, models.DecimalField):
        return AMOUNTS
    if isinstance(field, models.IntegerField):
        return WHOLE
    if isinstance(field, models.DateField):
        return DAYS
    if field.is_relation and field.related_model is Segment:
        return [name_of(earlier) for earlier in range(number)]
    return ()


def planted(plain: Plain) -> Condition:
    """The tree, saved; a question whose other numbers its type refuses is asked as its example instead."""
    return unsaved(plain).copy()


def unsaved(plain: Plain) -> Condition:
    """The same in memory only."""
    return grown(_accepted(plain))


def _accepted(plain: Plain) -> Plain:
    [(name, said)] = plain.items()
    if isinstance(said, list):
        return {name: [_accepted(part) for part in said]}
    try:
        grown(plain)
    except Unreadable:
        return {name: _nearest(name, said)}
    return plain


def _nearest(name: str, said: Plain) -> Plain:
    """The example that shares most with what was said."""
    kind = next(each for each in KINDS if each.type_name() == name)
    return max(kind.examples, key=lambda example: sum(said.get(key) == value for key, value in example.items()))
