"""The changes of a segment's conditions that are not saved yet: one draft for all staff, there only while it differs.

Pages name a row by its `number`, the same in the saved tree and in the draft however often it is saved; 0 is the top
group. Each verb holds the segment, makes the draft if there is none, and drops it once nothing differs. Nonsense is
refused with a ValidationError; `Changed` and `Gone` say that somebody else was quicker. A refusal changes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Case, Value, When

from ..conditions import Condition
from ..conditions.all_of import AllOf
from ..conditions.any_of import AnyOf
from ..conditions.groups import Group
from ..conditions.none_of import NoneOf
from ..models import Segment, fell
from .conflicts import Changed, Gone
from .differences import TOP, changes, digest, find, own_digest, parents, recognise
from .faults import completed, must_fit
from .owners import editing, topped

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = ["Changed", "Gone", "add", "changes", "copy", "delete", "digest", "discard", "editable", "move", "negate"]
__all__ += ["own_digest", "replace", "row", "save", "set_mode"]


def row(segment: Segment, number: int) -> Condition:
    """The row as it stands now, in the draft if there is one; raises Gone if it is in neither tree."""
    return _found(segment, segment.edited(), number)


def editable(segment: Segment, number: int, by: "User | None", now: datetime) -> Condition:
    """The row of the draft; the draft is made if there is none, and stays although nothing differs yet."""
    with transaction.atomic():
        held = hold(segment)
        if held.draft is None:
            _begin(held)
            Segment.objects.filter(pk=held.pk).update(draft_changed_at=now, draft_changed_by=by)
        found = row(held, number)
    _reread(segment)
    return found


def add(
    segment: Segment, group: int, new: Condition, by: "User | None", now: datetime, after: int | None = None
) -> Condition:
    """The new row, now stored in the group, behind the row `after` or last; what it must name and does not is chosen.

    `new` is not stored yet, such as `MadePurchase()` or a form's instance.
    """
    if isinstance(segment, Segment) and not new.asked_of_segments:
        raise ValidationError(f"“{str(new._meta.verbose_name).capitalize()}” can be asked in a workflow only.")
    with editing(segment, by, now) as held:
        to = _group(held, group)
        new.parent = to
        completed(new)
        new.changed_at, new.changed_by = now, by
        new.save()
        place = [part.number for part in to.parts()].index(after) + 1 if after in _numbers(to) else len(to.parts())
        _arrange(to, [*to.parts()[:place], new, *to.parts()[place:]])
    return row(segment, new.number)


def save(segment: Segment, wanted: Condition, seen: str, by: "User | None", now: datetime) -> Condition:
    """The stored row, which now says what `wanted`, a form's instance of it, says.

    `seen` is the `own_digest` of the row as it was drawn. Raises Changed if somebody saved it otherwise since.
    """
    with editing(segment, by, now) as held:
        stored = _found(held, held.edited(), wanted.number)
        if own_digest(stored) != own_digest(wanted):
            _must_be(stored, seen, wanted)
            for name, value in wanted.values().items():
                setattr(stored, name, value)
            stored.changed_at, stored.changed_by = now, by
            stored.save()
    return row(segment, wanted.number)


def move(segment: Segment, number: int, group: int, position: int, by: "User | None", now: datetime) -> Condition:
    """The row, now at `position` (from 0, itself not counted) of the group."""
    with editing(segment, by, now) as held:
        moved, to = _part(held, number), _group(held, group)
        if any(each.pk == to.pk for each in moved.walk()):
            raise ValidationError("A group cannot be moved into itself. Choose another place.")
        others = [part for part in to.parts() if part.pk != moved.pk]
        place = min(max(position, 0), len(others))
        _arrange(to, [*others[:place], moved, *others[place:]])
    return row(segment, number)


def copy(segment: Segment, number: int, by: "User | None", now: datetime) -> Condition:
    """A new row that says the same, with all below it, right behind the row."""
    with editing(segment, by, now) as held:
        copied = _part(held, number)
        group = parents(held.edited())[copied.pk]
        made = _planted(copied, group, is_same=False, by=by, at=now)
        place = group.parts().index(copied) + 1
        _arrange(group, [*group.parts()[:place], made, *group.parts()[place:]])
    return row(segment, made.number)


def delete(segment: Segment, number: int, by: "User | None", now: datetime, seen: str = "") -> None:
    """Take out the row and all below it. A group stays when its last row goes: staff see that it asks nothing.

    With `seen`, the `own_digest` of the row as it was drawn, raises Changed if somebody saved it otherwise since.
    """
    with editing(segment, by, now) as held:
        gone = _part(held, number)
        if seen:
            _must_be(gone, seen)
        fell([gone.pk])


def set_mode(segment: Segment, number: int, kind: type[Group], by: "User | None", now: datetime) -> Condition:
    """The group, whose rows are now asked as `kind` asks them: all of, any of or none of."""
    with editing(segment, by, now) as held:
        group = _group(held, number)
        _become(held, group, kind, by, now)
    return row(segment, number if group.parent_id else TOP)


def negate(segment: Segment, number: int, by: "User | None", now: datetime) -> Condition:
    """The row, which now asks for the opposite: it goes into a “none of” of its own, or comes out of it."""
    with editing(segment, by, now) as held:
        turned = _part(held, number)
        group = parents(held.edited())[turned.pk]
        if isinstance(turned, AnyOf | NoneOf):
            _become(held, turned, NoneOf if isinstance(turned, AnyOf) else AnyOf, by, now)
        elif isinstance(group, NoneOf) and len(group.parts()) == 1:
            _unwrap(held, group, by, now)
        else:
            wrap = NoneOf.objects.create(parent=group, position=turned.position, changed_at=now, changed_by=by)
            _arrange(group, [wrap if part.pk == turned.pk else part for part in group.parts()])
            _arrange(wrap, [turned])
    return row(segment, number)


def replace(segment: Segment, tree: Condition, by: "User | None", now: datetime) -> None:
    """The draft says what the tree says, a group that is not stored; rows that say the same as before stay."""
    with editing(segment, by, now) as held:
        former = held.draft
        recognise(tree, Segment(root=held.root).edited())
        for each in tree.walk():
            if not each.copy_of:
                each.changed_at, each.changed_by = now, by
        Segment.objects.filter(pk=held.pk).update(draft=_planted(tree, None))
        if former:
            fell([former.pk])


def discard(segment: Segment) -> bool:
    """Whether there were changes; the tree is again what was saved last."""
    with transaction.atomic():
        held = hold(segment)
        had = held.draft is not None
        _drop(held)
    _reread(segment)
    return had


def hold(segment: Segment) -> Segment:
    """The segment as it is stored, held until the transaction ends."""
    found = Segment.objects.select_for_update(no_key=True, of=("self",)).filter(pk=segment.pk).with_trees("draft")
    if not found:
        raise ValidationError(f"“{segment}” is not there any more.")
    if found[0].is_static:
        raise ValidationError(f"“{segment}” is filled by hand, import or workflow. It has no conditions.")
    return found[0]


@editing.register(Segment)
@contextmanager
def _editing(segment: Segment, by: "User | None", now: datetime) -> Iterator[Segment]:
    """The segment with its draft, held while the block changes it; afterwards there is a draft only if it differs."""
    with transaction.atomic():
        held = hold(segment)
        before = digest(held.draft or held.root)
        if held.draft is None:
            _begin(held)
        yield held
        held = Segment.objects.filter(pk=held.pk).with_trees("draft")[0]
        if not changes(held):
            _drop(held)
        elif digest(held.draft) != before:
            Segment.objects.filter(pk=held.pk).update(draft_changed_at=now, draft_changed_by=by)
    _reread(segment)


def _begin(segment: Segment) -> None:
    """Give it a draft: a copy of its tree with a group at the top."""
    saved = segment.edited()
    segment.draft = _planted(saved, None)
    Segment.objects.filter(pk=segment.pk).update(draft=segment.draft)


def _drop(segment: Segment) -> None:
    if segment.draft_id:
        Segment.objects.filter(pk=segment.pk).update(draft=None, draft_changed_at=None, draft_changed_by=None)
        fell([segment.draft_id])


def _reread(segment: Segment) -> None:
    segment.refresh_from_db(fields=["root", "draft", "draft_changed_at", "draft_changed_by"])


def _planted(
    condition: Condition,
    parent: Condition | None,
    is_same: bool = True,
    by: "User | None" = None,
    at: datetime | None = None,
) -> Condition:
    """A stored copy of the row and all below it; with `is_same` it stands for the row and has its number."""
    made: Condition = type(condition).objects.create(
        **condition.values(),
        position=condition.position,
        parent=parent,
        copy_of=(condition.number or None) if is_same else None,
        changed_at=condition.changed_at if is_same else at,
        changed_by_id=condition.changed_by_id if is_same else by and by.pk,
    )
    made.__dict__["_parts"] = [_planted(part, made, is_same, by, at) for part in condition.parts()]
    return made


def _found(segment: Segment, top: Condition, number: int) -> Condition:
    found = find(top, number)
    if found is None:
        raise Gone(segment.draft_changed_by or segment.saved_by, segment.draft_changed_at or segment.saved_at)
    return found


def _part(segment: Segment, number: int) -> Condition:
    """The row with the number; refuses the top group, which stays where it is."""
    found = _found(segment, segment.edited(), number)
    if found.parent_id is None:
        raise ValidationError("The outermost group stays as it is. Choose a condition or a group in it.")
    return found


def _group(segment: Segment, number: int) -> Condition:
    found = _found(segment, segment.edited(), number)
    if not found.takes_parts:
        raise ValidationError(f"“{found.summary()}” is not a group. Choose a group.")
    return found


def _numbers(group: Condition) -> list[int]:
    return [part.number for part in group.parts()]


def _must_be(stored: Condition, seen: str, mine: Condition | None = None) -> None:
    if own_digest(stored) != seen:
        raise Changed(stored.changed_by, stored.changed_at, stored, mine)


def _arrange(group: Condition, rows: list[Condition]) -> None:
    """Let the rows be the group's, in this order; refused if the tree becomes too large by that."""
    order = Case(*(When(pk=each.pk, then=Value(place)) for place, each in enumerate(rows)))
    Condition.objects.filter(pk__in=[each.pk for each in rows]).update(parent=group, position=order)
    must_fit(Condition.objects.get(pk=group.tree_id or group.pk))


def _become(segment: Segment, group: Condition, kind: type[Group], by: "User | None", now: datetime) -> None:
    """Put a group of another type in the place of this one, around the same rows."""
    if type(group) is kind:
        return
    made = kind.objects.create(
        parent=group.parent, position=group.position, copy_of=group.number, changed_at=now, changed_by=by
    )
    Condition.objects.filter(parent=group.pk).update(parent=made)
    Condition.objects.filter(tree=group.pk).update(tree=made)
    if group.parent_id is None:
        topped(segment, made)
    fell([group.pk])


@topped.register(Segment)
def _topped(segment: Segment, top: Condition) -> None:
    Segment.objects.filter(pk=segment.pk).update(draft=top)


def _unwrap(segment: Segment, group: Condition, by: "User | None", now: datetime) -> None:
    """Take the only row of a “none of” out of it."""
    outer = parents(segment.edited()).get(group.pk)
    if outer is None:
        _become(segment, group, AllOf, by, now)
        return
    [only] = group.parts()
    _arrange(outer, [only if part.pk == group.pk else part for part in outer.parts()])
    fell([group.pk])
