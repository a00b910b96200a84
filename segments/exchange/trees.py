"""Condition trees as plain values, which is what their YAML says, and back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from ..checks import condition_types
from ..conditions import Condition

Plain = dict[str, Any]
Path = tuple[str | int, ...]  # the keys and places that lead to a value; places are counted from 1
DEEPEST = 12  # groups inside each other
MOST = 500  # conditions of one segment
OWNER = ["parent", "tree", "position", "condition_ptr"]  # what is known only when it is saved


@dataclass(frozen=True)
class Fault:
    """What is wrong with plain values, and where in them."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{' › '.join(map(str, self.path))}: {self.reason}"


class Unreadable(ValueError):
    """Everything that is wrong with the plain values of a tree."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(map(str, self.faults)))


def dumped(condition: Condition) -> Plain:
    """The tree as {type: parts} for a group, {type: {field: value}} for a question; defaults are left out."""
    if condition.takes_parts:
        return {condition.type_name(): [dumped(part) for part in condition.parts()]}
    return {condition.type_name(): fields(condition)}


def fields(condition: Condition) -> Plain:
    """What the condition says of its own, without what is at its default; other rows by their unique names."""
    plain = {}
    for field in own_fields(type(condition)):
        value = getattr(condition, field.attname)
        if value != field.get_default() and condition.asks(field.name):
            plain[field.name] = _dumped(getattr(condition, field.name))
    return plain


def grown(plain: Any, place: str = "conditions") -> Condition:
    """The tree that the plain values describe, checked but not saved; raises Unreadable with all that is wrong."""
    faults: list[Fault] = []
    grower = _Grower(faults.append)
    made = grower.grow(plain, (place,), 0)
    if grower.many > MOST:
        faults.insert(
            0, Fault((place,), f"expected at most {MOST} conditions. Found {grower.many:,}. Split the segment.")
        )
    if faults or made is None:
        raise Unreadable(faults)
    return made


def own_fields(kind: type[Condition]) -> list[Any]:
    """The columns that the type adds: those it names itself, then those it shares with other types."""
    own = [each for each in kind._meta.concrete_fields if each.model is not Condition and not each.primary_key]
    mixins: Any = [base for base in kind.__mro__ if _is_abstract(base)]
    shared = {each.name for mixin in mixins for each in mixin._meta.local_fields}
    return sorted(own, key=lambda field: field.name in shared)


def name_field(model: type[models.Model]) -> str:
    """The column by whose value other rows are named: the first that is unique, such as a product's SKU, or ""."""
    unique = (each.name for each in model._meta.concrete_fields if each.unique and not each.primary_key)
    return next(unique, str(getattr(model, "named_by", "")))


class _Grower:
    """Grows trees from plain values, and tells `tell` what is wrong with them."""

    def __init__(self, tell: Callable[[Fault], None]) -> None:
        self.tell, self.many = tell, 0
        self.known = {kind.type_name(): kind for kind in condition_types()}

    def grow(self, plain: Any, path: Path, depth: int) -> Condition | None:
        self.many += 1
        if self.many > MOST:  # so many are refused as a whole: looking at each would only take time
            return None
        if not isinstance(plain, dict) or len(plain) != 1:
            example = "such as “customer_field: {field: state, value: MA}”"
            return self.tell(Fault(path, f"expected one condition, {example}. Found {shown(plain)}."))
        [(name, said)] = plain.items()
        if name not in self.known:
            return self.tell(Fault(path, f"“{name}” is not a type of condition. {_meant(name, self.known)}"))
        kind, here = self.known[name], (*path, name)
        return self.group(kind, said, here, depth + 1) if kind.takes_parts else self.question(kind, said, here)

    def group(self, kind: type[Condition], said: Any, path: Path, depth: int) -> Condition | None:
        if not isinstance(said, list):
            return self.tell(Fault(path, f"expected a list of conditions. Found {shown(said)}."))
        if depth > DEEPEST:
            return self.tell(Fault(path, f"expected at most {DEEPEST} groups inside each other. Found more."))
        parts = [self.grow(part, (*path, number), depth) for number, part in enumerate(said, 1)]
        made = kind()
        made.__dict__["_parts"] = [part for part in parts if part is not None]
        for position, part in enumerate(made.parts()):
            part.position = position
        return made

    def question(self, kind: type[Condition], said: Any, path: Path) -> Condition | None:
        said = {} if said is None else said
        if not isinstance(said, dict):
            return self.tell(Fault(path, f"expected fields with their values. Found {shown(said)}."))
        known = {field.name: field for field in own_fields(kind)}
        values = {}
        for name, value in said.items():
            if name not in known:
                reason = f"“{name}” is not a field of {kind.type_name()}. {_meant(name, known)}"
                self.tell(Fault((*path, str(name)), reason))
                continue
            try:
                values[name] = _read(known[name], value)
            except ValueError as error:
                self.tell(Fault((*path, name), str(error)))
        made = kind(**values)
        if len(values) == len(said):
            self.check(made, values, path)
        return made

    def check(self, made: Condition, given: Plain, path: Path) -> None:
        """Tell what the editor would not accept either, and what was given although nobody asks for it."""
        unasked = [name for name in given if not made.asks(name) and _is_said(made, name)]
        try:
            made.clean_fields(exclude=OWNER)
            for name in unasked:
                other = made.asked_with[name][0]
                reason = f"is not asked for where {other} is {getattr(made, other) or 'empty'}. Leave it out."
                self.tell(Fault((*path, name), reason))
            made.full_clean(exclude=OWNER)
        except ValidationError as error:
            for name, errors in error.error_dict.items():
                here = (*path, name) if name in given else path
                for each in errors:
                    self.tell(Fault(here, _reason(made, name, each, name in given)))


def _meant(name: object, known: Iterable[str]) -> str:
    """What a word that is not known may have been meant to be; all that is known if nothing is like it."""
    words = sorted(known)
    like = get_close_matches(str(name), words, n=1)
    return f"Did you mean {like[0]}?" if like else f"Known are {', '.join(words)}." if words else "It has none."


def _is_said(made: Condition, name: str) -> bool:
    return bool(getattr(made, name) != made._meta.get_field(name).get_default())


def _reason(made: Condition, name: str, error: ValidationError, is_given: bool) -> str:
    """The reason in words; for a choice, with what may be chosen."""
    field: Any = None if name == "__all__" else made._meta.get_field(name)
    if field is not None and error.code in ("null", "blank"):
        return f"{name} is missing." if not is_given else "expected a value. Found nothing."
    if field is not None and error.code == "invalid_choice" and field.choices:
        known = ", ".join(str(value) for value, _ in field.flatchoices if value != "")
        return f"“{getattr(made, field.attname)}” is not one of {known}."
    return " ".join(error.messages) if is_given or field is None else f"{name}: {' '.join(error.messages)}"


def _is_abstract(base: Any) -> bool:
    return bool(getattr(getattr(base, "_meta", None), "abstract", False))


def shown(value: Any) -> str:
    """What was found, in a few words."""
    if isinstance(value, dict):
        return f"{len(value)} keys: {', '.join(map(str, value))}"[:200] if value else "nothing in the braces"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "nothing" if value is None else f"“{str(value)[:80]}”"


def _dumped(value: Any) -> Any:
    if isinstance(value, models.Model):
        return getattr(value, name_field(type(value)), str(value))
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if isinstance(value, (date, bool, int, list, dict, type(None))) else str(value)


def _read(field: Any, value: Any) -> Any:
    """The value as the field takes it; raises ValueError if the field cannot even be asked whether it is right."""
    if isinstance(field, models.JSONField):
        return _json(value)
    if isinstance(value, (dict, list)):
        raise ValueError(f"expected one value. Found {shown(value)}.")
    if value is None or (value == "" and not field.is_relation):
        return "" if not field.null and isinstance(field, (models.CharField, models.TextField)) else None
    if field.is_relation:
        return _named(field.related_model, value)
    return next(read for kind, read in READ if isinstance(field, kind))(value)


def _named(model: Any, value: Any) -> models.Model:
    name = name_field(model)
    if not name:
        raise ValueError(f"“{value}” cannot be found: steps of workflows have no names of their own.")
    found: list[models.Model] = list(model._default_manager.filter(**{name: _text(value)})[:2])
    if len(found) > 1:
        raise ValueError(f"“{value}” is the name of several. Rename all but one of them first.")
    if not found:
        raise ValueError(f"no {model._meta.verbose_name} has the {model._meta.get_field(name).verbose_name} “{value}”.")
    return found[0]


def _truth(value: Any) -> bool:
    known = {"true": True, "yes": True, "false": False, "no": False}
    if str(value).lower() not in known:
        raise ValueError(f"expected true or false. Found “{value}”.")
    return known[str(value).lower()]


def _whole(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, (float, Decimal)) and value != int(value)):
        raise ValueError(f"expected a whole number, such as 21. Found “{value}”.")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, such as 49.90. Found “{str(value).lower()}”.")
    return Decimal(str(value)) if isinstance(value, float) else value


def _day(value: Any) -> Any:
    if not isinstance(value, (str, date)):
        raise ValueError(f"expected a day, such as 2026-09-01. Found “{value}”.")
    return value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_json(each) for each in value]
    return _dumped(value) if isinstance(value, Decimal) else value


READ: list[tuple[Any, Callable[[Any], Any]]] = [
    (models.BooleanField, _truth),
    (models.IntegerField, _whole),
    ((models.DecimalField, models.FloatField), _number),
    (models.DateField, _day),
    (models.Field, _text),
]
