"""How a tree of conditions is drawn in the editor: its rows, the places they can go, and what can be added."""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString

from ..conditions import Condition
from ..conditions.all_of import AllOf
from ..conditions.any_of import AnyOf
from ..conditions.none_of import NoneOf
from ..counting import Count
from ..editing.differences import TOP
from ..exchange.trees import own_fields

# In which order staff find the types of conditions; other headings come after these.
SHELVES = ["Purchases", "What they did", "About them", "Dates of theirs", "Carts"]
SHELVES += ["Points", "Tiers", "Vouchers", "Messages", "Segments", "Workflows", "This workflow"]


@dataclass(frozen=True)
class Mode:
    """One way to ask a group, as its button says it."""

    kind: type[Condition]
    word: str
    rest: str
    help: str

    @property
    def type(self) -> str:
        return self.kind.type_name()


MODES = [
    Mode(AllOf, "All", "of these are true", "Customers who meet every one."),
    Mode(AnyOf, "Any", "of these is true", "Customers who meet one or more."),
    Mode(NoneOf, "None", "of these is true", "Customers who meet not a single one."),
]


@dataclass
class Target:
    """A group into which a row can go, as the row's menu says it."""

    number: int
    says: str
    about: str


@dataclass
class Line:
    """One row of the tree, a group or a single condition."""

    condition: Condition
    number: int
    group: int = TOP
    position: int = 0
    is_last: bool = True
    is_alone_in_none: bool = False
    hit: Count | None = None
    faults: list[str] = field(default_factory=list)
    parts: list["Line"] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    @property
    def is_top(self) -> bool:
        return self.number == TOP

    @property
    def is_group(self) -> bool:
        return self.condition.takes_parts

    @property
    def mode(self) -> Mode:
        return next(mode for mode in MODES if isinstance(self.condition, mode.kind))

    @property
    def word(self) -> str:
        return self.mode.word

    @property
    def rest(self) -> str:
        return self.mode.rest

    @property
    def says(self) -> str:
        return f"{self.word} {self.rest}"

    @property
    def sentence(self) -> SafeString:
        return self.condition.sentence()

    @property
    def plain(self) -> str:
        return self.condition.summary()

    @property
    def up(self) -> int:
        return self.position - 1

    @property
    def down(self) -> int:
        return self.position + 1

    @property
    def opposite(self) -> str:
        """What turning it round would do, as its button says it."""
        if isinstance(self.condition, AnyOf):
            return "Turn into None of these"
        if isinstance(self.condition, NoneOf):
            return "Turn into Any of these"
        return "Ask for it, not the opposite" if self.is_alone_in_none else "Ask for the opposite"

    def walk(self) -> Iterable["Line"]:
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True)
class Place:
    """Where a new row will stand: in the group, behind the row `after`, or last."""

    group: int
    after: int
    says: str = "New condition goes here"


def drawn(tree: Condition, hits: dict[int, Count], faults: dict[int, list[str]]) -> Line:
    """The tree as lines, with how many customers match each, what is wrong, and where each can go."""
    top = _line(tree, TOP, hits, faults)
    groups = [line for line in top.walk() if line.is_group]
    for line in top.walk():
        inside = {each.number for each in line.walk()}
        line.targets = [
            Target(each.number, each.says, _about(each, line))
            for each in groups
            if each.number not in inside and each.number != line.group
        ]
    return top


def _line(condition: Condition, number: int, hits: dict[int, Count], faults: dict[int, list[str]]) -> Line:
    line = Line(condition, number, hit=hits.get(number), faults=faults.get(number, []))
    parts = condition.parts()
    line.parts = [_line(part, part.number, hits, faults) for part in parts]
    for position, part in enumerate(line.parts):
        part.group, part.position, part.is_last = number, position, position == len(parts) - 1
        part.is_alone_in_none = isinstance(condition, NoneOf) and len(parts) == 1
    return line


def _about(group: Line, moved: Line) -> str:
    """Which group it is: the outermost one, or the one with certain rows in it."""
    if group.is_top:
        return "the outermost group"
    first = next((part for part in group.parts if part.number != moved.number), None)
    return f"with: {first.plain[:60]}" if first else "empty"


def offered(kinds: Iterable[type[Condition]]) -> list[list[tuple[str, list[dict[str, Any]]]]]:
    """The types of conditions on their shelves, in two columns of about the same length."""
    shelves: dict[str, list[dict[str, Any]]] = {}
    for kind in kinds:
        if not kind.takes_parts:
            pick = {"type": kind.type_name(), "icon": kind.icon, "title": title(kind), "help": first_sentence(kind)}
            pick["words"] = asked_for(kind)
            shelves.setdefault(kind.shelf, []).append(pick)
    for picks in shelves.values():
        picks.sort(key=lambda pick: (len(pick["title"].split()), pick["title"]))  # the plain ones first
    order = sorted(shelves, key=lambda shelf: SHELVES.index(shelf) if shelf in SHELVES else len(SHELVES))
    lengths = [len(shelves[shelf]) + 1 for shelf in order]
    split = min(range(len(order) + 1), key=lambda at: abs(sum(lengths[:at]) - sum(lengths[at:])))
    columns = [order[:split], order[split:]]
    return [[(shelf, shelves[shelf]) for shelf in column] for column in columns]


def asked_for(kind: type[Condition]) -> str:
    """What its form asks and offers to choose from, so that it is found by those words, too."""
    said = [kind.words]
    for each in own_fields(kind):
        if each.name == "since_own":  # every type with a time offers the same days
            continue
        said += [str(each.verbose_name), *(str(label) for value, label in each.choices or () if value != "")]
    return " ".join(dict.fromkeys(said)).strip()


def title(kind: type[Condition]) -> str:
    """What staff call the type."""
    name = str(kind._meta.verbose_name)
    return name[:1].upper() + name[1:]


def first_sentence(kind: type[Condition]) -> str:
    """The first sentence of the type's help."""
    text = " ".join((inspect.getdoc(kind) or "").split())
    return f"{text.partition('. ')[0].rstrip('.')}."
