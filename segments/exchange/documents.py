"""Segments as YAML documents: what each says of a segment, written, and read with the line of every fault."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from django.core.exceptions import ValidationError

from ..conditions import Condition
from ..conditions.all_of import AllOf
from ..models import Segment, SegmentQuerySet
from . import notation
from .trees import Fault, Plain, Unreadable, dumped, grown, shown

KEYS = ("name", "description", "kind", "conditions")


class Refused(ValueError):
    """Everything that is wrong with a file of segments, a line each."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = list(reasons)
        super().__init__("\n".join(self.reasons))


@dataclass
class Document:
    """What a file says of one segment: checked as far as can be without the database."""

    segment: Segment
    conditions: Any
    lines: notation.Lines
    source: str = ""  # the name of the file, if there is one

    def grown(self) -> Condition | None:
        """Its conditions, checked but not saved; a group, so that others can be added; raises Refused."""
        if self.segment.is_static:
            return None
        try:
            root = AllOf() if self.conditions is None else grown(self.conditions)
        except Unreadable as error:
            raise Refused(_told(fault, self.lines, self.source) for fault in error.faults) from error
        if out_of_place := [each for each in root.walk() if not each.asked_of_segments]:
            reason = "asks about a customer's walk through a workflow, so it cannot stand in a segment."
            raise Refused(f"{self.at()}: {each.type_name()} {reason}" for each in out_of_place)
        if self.conditions is None or not root.takes_parts:
            parts = [] if self.conditions is None else [root]
            root = AllOf()
            root.__dict__["_parts"] = parts
        return root

    def at(self) -> str:
        """Where it begins, as the beginning of a sentence about it."""
        return _line(self.lines["name",], self.source)


def written(segments: SegmentQuerySet) -> str:
    """The segments as YAML, a document each, those that others ask for before them."""
    return notation.written(*(plain(each) for each in _in_order(segments.with_trees())))


def plain(segment: Segment) -> Plain:
    """The segment as its document says it; what is at its default is left out."""
    said: Plain = {"name": segment.name}
    if segment.description:
        said["description"] = segment.description.replace("\r\n", "\n")
    if segment.is_static:
        return said | {"kind": str(Segment.Kind.STATIC)}
    return said | {"conditions": dumped(segment.root)} if segment.root else said


def read(text: str | bytes, source: str = "") -> list[Document]:
    """The segments that the text describes; raises Refused with every fault that can be seen without the database.

    With `source`, the name of its file, each fault names that before the line.
    """
    try:
        found = notation.documents(text)
    except notation.NotYaml as error:
        raise Refused([f"{source}: {error}" if source else str(error)]) from error
    if not found:
        empty = "Expected at least one segment. Found nothing but empty space and comments."
        raise Refused([f"{source}: {empty}" if source else empty])
    reasons: list[str] = []
    made = [document for each, lines in found if (document := _document(each, lines, source, reasons))]
    if reasons:
        raise Refused(reasons)
    return made


def named_twice(read: Iterable[Document]) -> list[str]:
    """The reasons why documents cannot be taken in together: each that has a name that another one has before it."""
    first: dict[str, Document] = {}
    reasons = []
    for document in read:
        name = document.segment.name
        if first.setdefault(name, document) is not document:
            earlier = first[name].at()
            reasons.append(f"{document.at()}: “{name}” has a place already: {earlier}. Rename one of them.")
    return reasons


def circle(segments: Iterable[Segment]) -> list[str]:
    """The names of segments that ask for each other, beginning and ending with the same one; empty if none do."""
    known = {each.pk: each for each in segments}
    try:
        TopologicalSorter({pk: {*each.asks_for()} & known.keys() for pk, each in known.items()}).prepare()
    except CycleError as error:
        return [known[pk].name for pk in reversed(error.args[1])]
    return []


def _in_order(segments: list[Segment]) -> Iterator[Segment]:
    by_id = {each.pk: each for each in segments}
    asked = {pk: sorted({*each.asks_for()} & by_id.keys()) for pk, each in by_id.items()}
    return (by_id[pk] for pk in TopologicalSorter(asked).static_order())


def _document(said: Any, lines: notation.Lines, source: str, reasons: list[str]) -> Document | None:
    """The document, or None and the reasons why it is none."""
    if not isinstance(said, dict):
        known = ", ".join(KEYS)
        reasons.append(f"{_line(lines[()], source)}: expected a segment with {known}. Found {shown(said)}.")
        return None
    faults = [*_strange(said)]
    texts = {key: said[key] for key in KEYS[:3] if said.get(key) is not None}
    faults += [Fault((key,), "expected a text.") for key, text in texts.items() if isinstance(text, (dict, list))]
    if not faults:
        segment = Segment(**{key: str(text) for key, text in texts.items()})
        faults += _wrong(segment, said)
    reasons += [_told(fault, lines, source) for fault in faults]
    return None if faults else Document(segment, said.get("conditions"), lines, source)


def _strange(said: Plain) -> Iterator[Fault]:
    for key in said:
        if key not in KEYS:
            yield Fault((key,), f"“{key}” is not a part of a segment. Known are {', '.join(KEYS)}.")


def _wrong(segment: Segment, said: Plain) -> Iterator[Fault]:
    """What the form of a segment would not accept either; that its name is taken is no fault here."""
    try:
        segment.clean_fields(exclude=["root"])
    except ValidationError as error:
        for name, reasons in error.message_dict.items():
            if name == "kind":
                kinds = " or ".join(Segment.Kind.values)
                yield Fault(("kind",), f"expected {kinds}. Found “{segment.kind}”.")
            elif name not in said:
                yield Fault((), f"its {name} is missing.")
            else:
                yield Fault((name,), " ".join(reasons))
    if segment.name != segment.name.strip():
        yield Fault(("name",), "expected no space at either end of the name.")
    if segment.is_static and said.get("conditions") is not None:
        yield Fault(("conditions",), "a static segment is filled by hand and has none. Leave them or its kind out.")


def _told(fault: Fault, lines: notation.Lines, source: str) -> str:
    """The fault as a sentence that begins with its line."""
    path = fault.path
    while path not in lines:
        path = path[:-1]
    place = " › ".join(map(str, fault.path))
    return f"{_line(lines[path], source)}: {place + ': ' if place else ''}{fault.reason}"


def _line(number: int, source: str) -> str:
    return f"{source}, line {number}" if source else f"Line {number}"
