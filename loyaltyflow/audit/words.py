"""The audit in the words of the pages: labels instead of columns, names instead of numbers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import BooleanField, DateField, DateTimeField, IntegerField, Model, SmallIntegerField
from django.urls import NoReverseMatch, reverse
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.text import capfirst

from loyaltyflow.store.templatetags.figures import NONE, day, moment

from .models import Change
from .tracked import tracked

if TYPE_CHECKING:
    from django.db.models import Field

    Column = Field[Any, Any]
    Columns = dict[str, Column]

LONGEST = 160
Names = dict[type[Model], dict[Any, str]]


@dataclass(frozen=True)
class Line:
    """One thing that changed."""

    label: str
    was: str
    is_now: str


@dataclass
class Told:
    """A change as people read it."""

    change: Change
    kind: str
    link: str
    lines: list[Line] = field(default_factory=list)
    name: str = ""

    @property
    def who(self) -> str:
        return self.change.actor or "The program"

    @property
    def did(self) -> str:
        """Such as “Changed tier Gold”."""
        return f"{self.change.get_action_display()} {self.kind} {self.name}".strip()

    @property
    def text(self) -> str:
        """All that changed on one line."""
        return "; ".join(f"{line.label}: {line.was} → {line.is_now}" for line in self.lines)


def tell(changes: Sequence[Change]) -> list[Told]:
    """The changes in words; the number of statements depends on the models that they name only."""
    names = _names(changes)
    return [Told(each, kind_of(each.model), _link(each), _lines(each, names), _name(each, names)) for each in changes]


def labels_of(row: Model) -> list[str]:
    """The names of the models that the row is audited by: its own, and those of which it is a kind."""
    return [row._meta.label_lower, *(parent._meta.label_lower for parent in row._meta.get_parent_list())]


@cache
def _fields(label: str) -> tuple["Columns", "Columns"]:
    """Column → field, of the model and its kinds, and of its parts."""
    is_part = {each.table: each.is_part for each in tracked() if each.label == label}
    own: Columns = {}
    parts: Columns = {}
    whole = apps.get_model(label)
    for model in apps.get_models(include_auto_created=True):
        if model._meta.db_table not in is_part:
            continue
        known = own if issubclass(model, whole) else parts
        for each in model._meta.local_fields:
            known.setdefault(each.column or "", each)
    return own, parts


def _field(label: str, key: str) -> tuple[str, "Column | None"]:
    """What the key of a change calls its part, and the field that it names."""
    before, _, column = key.rpartition(": ")
    own, parts = _fields(label) if _is_model(label) else ({}, {})
    if not before:
        return "", own.get(column)
    number, _, rest = column.partition(" ")
    return before, parts.get(rest if number.isdecimal() else column) or own.get(column)


def _is_model(label: str) -> bool:
    try:
        apps.get_model(label)
    except LookupError:
        return False
    return True


def kind_of(label: str) -> str:
    """What the model is called; its bare name if it is no longer there."""
    return str(apps.get_model(label)._meta.verbose_name) if _is_model(label) else label.rpartition(".")[2]


def _link(change: Change) -> str:
    """The page of the object; "" if it has none, or is gone."""
    if change.object_id is None or change.action == Change.Action.DELETED:
        return ""
    try:
        return reverse(f"admin:{change.model.replace('.', '_')}_change", args=[change.object_id])
    except NoReverseMatch:
        return ""


def _name(change: Change, names: Names) -> str:
    """What the object was called; of one that no column names, such as an adjustment, what it is called now."""
    if change.name or not _is_model(change.model):
        return str(change.name)
    return names.get(apps.get_model(change.model), {}).get(change.object_id, "")


def _names(changes: Iterable[Change]) -> Names:
    """What the rows are called that the changes name by their numbers."""
    asked: dict[type[Model], set[Any]] = defaultdict(set)
    for change in changes:
        if not change.name and _is_model(change.model):
            asked[apps.get_model(change.model)].add(change.object_id)
        for values in (change.before, change.after):
            for key, value in values.items():
                found = _field(change.model, key)[1]
                if found is not None and found.is_relation and value is not None:
                    asked[found.related_model].add(value)  # type: ignore[index]
    # With the rows that they point to: an adjustment is called after its customer.
    rows = {model: model._default_manager.filter(pk__in=ids).select_related() for model, ids in asked.items()}
    return {model: {row.pk: str(row) for row in those} for model, those in rows.items()}


def _lines(change: Change, names: Names) -> list[Line]:
    keys = list(dict.fromkeys([*change.before, *change.after]))
    if "conditions" in keys:  # told in words, so the number of their row says nothing
        keys = [key for key in keys if key != "root_id"]
    return [_line(change, key, names) for key in keys]


def _line(change: Change, key: str, names: Names) -> Line:
    part, found = _field(change.model, key)
    bare = key.rpartition(": ")[2]
    is_list = bool(part) and bare.partition(" ")[0].isdecimal()
    label = part if is_list else ": ".join(filter(None, [part, str(found.verbose_name) if found else bare]))
    sides = (_value(found, values[key], names) if key in values else NONE for values in (change.before, change.after))
    return Line(str(capfirst(label.replace("_", " "))), *sides)


def _value(found: "Column | None", value: Any, names: Names) -> str:
    """The value as a page would show it."""
    if value is None or value in ("", [], {}):
        return NONE
    if found is not None and found.is_relation:
        known: dict[Any, str] = names.get(found.related_model, {})  # type: ignore[arg-type]
        return known.get(value, f"no. {value}")
    if isinstance(value, bool) or isinstance(found, BooleanField):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_value(getattr(found, "base_field", None), each, names) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')}: {_value(None, each, names)}" for key, each in value.items())
    if isinstance(found, DateTimeField):
        return _moment(str(value))
    if isinstance(found, DateField):
        on: date | None = parse_date(str(value))
        return day(on) if on else str(value)
    if isinstance(value, int) and isinstance(found, IntegerField) and not isinstance(found, SmallIntegerField):
        return f"{value:,}"
    choices = dict(found.flatchoices) if found is not None and found.choices else {}
    text = " ".join(str(choices.get(value, value)).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2]} …"


def _moment(text: str) -> str:
    known: datetime | None = parse_datetime(text)
    return moment(known) if known else text
