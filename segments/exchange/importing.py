"""Taking in segments from their YAML: new ones are made inactive, known ones get it as their unsaved changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db import transaction

from ..editing import drafts
from ..editing.differences import digest
from ..models import Segment
from . import documents
from .documents import Document, Refused

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class What(StrEnum):
    """What becomes of a segment of a file."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True)
class Change:
    """What a file does to one segment, in words."""

    segment: Segment
    what: What
    summary: str
    notes: list[str]


@contextmanager
def tried(read: list[Document]) -> Iterator[list[Segment]]:
    """The segments that the documents describe, each with its checked conditions, as if they were here; none is kept.

    Raises Refused with all that is wrong with them.
    """
    with transaction.atomic():
        yield [document.segment for document in _placed(read)]
        transaction.set_rollback(True)


def rehearsed(read: list[Document], now: datetime) -> list[Change]:
    """What taking in the documents would do; raises Refused with all that is wrong."""
    with transaction.atomic():
        changes = take_in(read, None, now)
        transaction.set_rollback(True)
    return changes


def take_in(read: list[Document], by: "User | None", now: datetime) -> list[Change]:
    """What was done with each document's segment; raises Refused with all that is wrong, and nothing changes.

    New segments are not active. What is said of the conditions of one that is here becomes its draft.
    """
    with transaction.atomic():
        known = set(Segment.objects.filter(name__in=[each.segment.name for each in read]).values_list("pk", flat=True))
        placed = [document.segment for document in _placed(read)]
        return [_changed(each, by, now) if each.pk in known else _made(each) for each in placed]


def _made(segment: Segment) -> Change:
    change = _change(segment, What.NEW)
    segment.root = segment.root and segment.root.copy()
    segment.save(update_fields=["root"])
    return change


def _changed(said: Segment, by: "User | None", now: datetime) -> Change:
    """Give the segment its description, and what is said of its conditions as its draft."""
    [known] = Segment.objects.filter(pk=said.pk).with_trees("draft")
    notes = []
    if said.description.split() != known.description.split():
        notes.append("Its description changes at once.")
        Segment.objects.filter(pk=said.pk).update(description=said.description)
    if said.root is None or digest(said.root) == digest(known.edited()):
        return _change(said, What.CHANGED if notes else What.SAME, *notes)
    if known.draft and digest(said.root) != digest(Segment(root=known.root).edited()):
        notes.append(f"Replaces the unsaved changes of {known.draft_changed_by or 'somebody'}.")
    elif known.draft:
        notes.append(f"Takes back the unsaved changes of {known.draft_changed_by or 'somebody'}.")
    change = _change(said, What.CHANGED, *notes)
    drafts.replace(known, said.root, by, now)
    return change


def _change(segment: Segment, what: What, *notes: str) -> Change:
    """The change in words, with what staff had better look at."""
    warnings = [warning for row in (segment.root.walk() if segment.root else ()) for warning in row.warnings()]
    return Change(segment, what, segment.summary(), [*notes, *warnings])


def _placed(read: list[Document]) -> list[Document]:
    """The documents, each with its segment, known or new, and with its conditions, which are not saved.

    New segments are saved without conditions first, so that others can name them: call it inside a transaction.
    """
    if reasons := documents.named_twice(read):
        raise Refused(reasons)
    known = Segment.objects.in_bulk([each.segment.name for each in read], field_name="name")
    for document in read:
        found = known.get(document.segment.name)
        reasons += _unlike(document, found) if found else []
        if found:
            found.description = document.segment.description
            document.segment = found
        else:
            document.segment.save()
    reasons += [reason for document in read for reason in _planted(document)]
    if not reasons and (path := documents.circle(_all_with([each.segment for each in read]))):
        asking = ", and ".join(f"“{one}” asks for “{two}”" for one, two in zip(path, path[1:], strict=False))
        reasons = [f"Segments cannot ask for each other: {asking}."]
    if reasons:
        raise Refused(reasons)
    return read


def _unlike(document: Document, known: Segment) -> list[str]:
    """Why the document cannot change the segment that has its name."""
    if known.archived_at:
        return [
            f"{document.at()}: “{known}” is archived. Bring it back first, or give the one in the file another name."
        ]
    if known.kind != document.segment.kind:
        kinds = f"“{known}” is a {known.kind} segment here, and {document.segment.kind} in the file"
        return [f"{document.at()}: {kinds}. Give one of them another name."]
    return []


def _planted(document: Document) -> list[str]:
    """Give the document's segment its conditions; the reasons if that cannot be."""
    try:
        document.segment.root = document.grown()
    except Refused as error:
        return error.reasons
    return []


def _all_with(changed: list[Segment]) -> list[Segment]:
    """Every segment with its conditions, those that have changed in memory as they are there."""
    others = Segment.objects.exclude(pk__in=[each.pk for each in changed]).with_trees()
    return [*changed, *others]
