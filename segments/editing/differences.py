"""How the draft of a segment differs from what was saved, and the digests by which a page knows what it has drawn."""

from bisect import bisect_left
from hashlib import sha256
from json import dumps
from typing import Any

from ..conditions import Condition
from ..models import Segment

TOP = 0  # the top group goes by this number, too


def digest(tree: Condition | None) -> str:
    """A text that changes when anything in the tree does; what a page hands back when it publishes."""
    return _digest(tree.wording() if tree else [])


def own_digest(row: Condition) -> str:
    """A text that changes when the row's own values do, wherever it stands; what a row's form hands back."""
    return _digest(_own(row))


def find(top: Condition, number: int) -> Condition | None:
    """The row with this number in the tree, None if there is none."""
    if number == TOP:
        return top
    return next((each for each in top.walk() if each.number == number), None)


def parents(top: Condition) -> dict[int, Condition]:
    """The group in which each stored row of the tree stands, by the row's id."""
    return {part.pk: each for each in top.walk() for part in each.parts()}


def recognise(tree: Condition, saved: Condition) -> None:
    """Let each row of a tree that is not stored stand for a row of the saved one that says the same, if one does."""
    tree.copy_of = saved.number or None
    free: dict[str, list[Condition]] = {}
    for row in _below(saved):
        free.setdefault(own_digest(row), []).append(row)
    for row in _below(tree):
        if alike := free.get(own_digest(row)):
            known = alike.pop(0)
            row.copy_of, row.changed_at, row.changed_by_id = known.number, known.changed_at, known.changed_by_id


def _below(top: Condition) -> list[Condition]:
    return [row for row in top.walk() if row is not top]


def changes(segment: Segment) -> int:
    """How many rows of the draft were added, changed or moved, and how many of the saved rows are not in it."""
    if segment.draft is None:
        return 0
    saved = Segment(root=segment.root).edited()
    before, after = _rows(saved), _rows(segment.draft)
    added_or_removed = before.keys() ^ after.keys()
    kept = before.keys() & after.keys()
    changed = {number for number in kept if _own(before[number][1]) != _own(after[number][1])}
    return len(added_or_removed | changed | _moved(before, after))


Rows = dict[int, tuple[int | None, Condition]]


def _rows(top: Condition) -> Rows:
    """Each row of the tree by its number, in order, with the number of the group it stands in."""
    rows: Rows = {TOP: (None, top)}
    for each in top.walk():
        group = TOP if each is top else each.number
        rows |= {part.number: (group, part) for part in each.parts()}
    return rows


def _moved(before: Rows, after: Rows) -> set[int]:
    """The rows that are in another group, and the fewest of the others that must have been moved within theirs."""
    kept = before.keys() & after.keys()
    moved = {number for number in kept if before[number][0] != after[number][0]}
    places = {number: place for place, number in enumerate(before)}
    for group in {after[number][0] for number in kept - moved}:
        stayed = [number for number in after if number in kept - moved and after[number][0] == group]
        in_order = _longest_rise([places[number] for number in stayed])
        moved |= {number for number in stayed if places[number] not in in_order}
    return moved


def _longest_rise(places: list[int]) -> set[int]:
    """The most numbers that can be kept so that each is larger than those before it."""
    ends: list[int] = []  # the smallest number at which a rise of each length can end
    rises: list[list[int]] = []
    for place in places:
        length = bisect_left(ends, place)
        rise = [*(rises[length - 1] if length else []), place]
        ends[length : length + 1] = [place]
        rises[length : length + 1] = [rise]
    return set(rises[-1]) if rises else set()


def _own(row: Condition) -> list[Any]:
    return [row._meta.label_lower, {name: str(value) for name, value in row.values().items()}]


def _digest(values: list[Any]) -> str:
    return sha256(dumps(values).encode()).hexdigest()
