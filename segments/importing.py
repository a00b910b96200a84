"""Taking in segments from their YAML: new ones are made inactive, known ones get it as their unsaved changes."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from . import documents
from .documents import Document, Refused
from .models import Segment


@contextmanager
def tried(text: str | bytes) -> Iterator[list[Segment]]:
    """The segments that the text describes, each with its checked conditions, as if they were here; none is kept.

    Raises Refused with all that is wrong with the text.
    """
    with transaction.atomic():
        yield placed(documents.read(text))
        transaction.set_rollback(True)


def placed(read: list[Document]) -> list[Segment]:
    """The segment of each document, known or new, with the conditions that the document gives it, which are not saved.

    New segments are saved without conditions first, so that others can name them: call it inside a transaction.
    """
    known = Segment.objects.in_bulk([each.segment.name for each in read], field_name="name")
    for document in read:
        if found := known.get(document.segment.name):
            document.segment = _told(document.segment, found)
        else:
            document.segment.save()
    reasons = [reason for document in read for reason in _planted(document)]
    if not reasons and (path := documents.circle(_all_with([each.segment for each in read]))):
        asking = ", and ".join(f"“{one}” asks for “{two}”" for one, two in zip(path, path[1:], strict=False))
        reasons = [f"Segments cannot ask for each other: {asking}."]
    if reasons:
        raise Refused(reasons)
    return [document.segment for document in read]


def _planted(document: Document) -> list[str]:
    """Give the document's segment its conditions; the reasons if that cannot be."""
    known = Segment.objects.get(pk=document.segment.pk)
    if known.kind != document.segment.kind:
        return [
            f"{document.at()}: “{known}” is a {known.kind} segment here, and {document.segment.kind} in the file. "
            "Give one of them another name."
        ]
    try:
        document.segment.root = document.grown()
    except Refused as error:
        return error.reasons
    return []


def _told(said: Segment, known: Segment) -> Segment:
    """The known segment, in memory, as the file says it."""
    known.description, known.kind = said.description, said.kind
    return known


def _all_with(changed: list[Segment]) -> list[Segment]:
    """Every segment with its conditions, those that have changed in memory as they are there."""
    others = Segment.objects.exclude(pk__in=[each.pk for each in changed]).with_trees()
    return [*changed, *others]


def take_in(text: str | bytes) -> list[Segment]:
    """The segments of the text, made and not active yet; raises Refused with all that is wrong, and nothing changes."""
    with transaction.atomic():
        read = documents.read(text)
        here = Segment.objects.filter(name__in=[each.segment.name for each in read]).values_list("name", flat=True)
        if taken := [f"{each.at()}: “{each.segment}” is here already." for each in read if each.segment.name in here]:
            raise Refused(taken)
        made = placed(read)
        for segment in made:
            segment.root = segment.root and segment.root.copy()
            segment.save(update_fields=["root"])
    return made
