"""Condition trees as plain values, which is what their YAML says, and back."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from .checks import condition_types
from .conditions import Condition

Plain = dict[str, Any]


class Unreadable(ValueError):
    """What is wrong with the plain values of a tree, and where in it."""


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
        if value != field.get_default():
            plain[field.name] = _dumped(getattr(condition, field.name))
    return plain


def grown(plain: Any, place: str = "conditions") -> Condition:
    """The tree that the plain values describe, checked but not saved; raises Unreadable with the place of a fault."""
    if not isinstance(plain, dict) or len(plain) != 1:
        raise Unreadable(f"{place}: expected one condition, such as “made_purchase: {{count: 2}}”. Found {plain!r}.")
    [(name, said)] = plain.items()
    known = {kind.type_name(): kind for kind in condition_types()}
    if name not in known:
        raise Unreadable(f"{place}: “{name}” is not a type of condition. Known are {', '.join(sorted(known))}.")
    kind, here = known[name], f"{place} › {name}"
    if not kind.takes_parts:
        return _leaf(kind, {} if said is None else said, here)
    if not isinstance(said, list):
        raise Unreadable(f"{here}: expected a list of conditions. Found {said!r}.")
    group = kind()
    group.__dict__["_parts"] = [grown(part, f"{here} › {number}") for number, part in enumerate(said, 1)]
    for position, part in enumerate(group.parts()):
        part.position = position
    return group


def own_fields(kind: type[Condition]) -> list[Any]:
    """The columns that the type adds: those it names itself, then those it shares with other types."""
    own = [each for each in kind._meta.concrete_fields if each.model is not Condition and not each.primary_key]
    mixins: Any = [base for base in kind.__mro__ if _is_abstract(base)]
    shared = {each.name for mixin in mixins for each in mixin._meta.local_fields}
    return sorted(own, key=lambda field: field.name in shared)


def name_field(model: type[models.Model]) -> str:
    """The column by whose value other rows are named: the first that is unique, such as a product's SKU."""
    return next(each.name for each in model._meta.concrete_fields if each.unique and not each.primary_key)


def _is_abstract(base: Any) -> bool:
    return bool(getattr(getattr(base, "_meta", None), "abstract", False))


def _leaf(kind: type[Condition], said: Any, place: str) -> Condition:
    if not isinstance(said, dict):
        raise Unreadable(f"{place}: expected fields with their values. Found {said!r}.")
    known = {field.name: field for field in own_fields(kind)}
    unknown = sorted(str(name) for name in said if name not in known)
    if unknown:
        raise Unreadable(f"{place}: “{unknown[0]}” is not a field of it. Known are {', '.join(known)}.")
    made = kind(**{name: _read(known[name], value, f"{place} › {name}") for name, value in said.items()})
    try:
        made.full_clean(exclude=["parent", "tree", "position", "condition_ptr"])
    except ValidationError as error:
        reasons = [f"{name}: {text}" for name, texts in error.message_dict.items() for text in texts]
        raise Unreadable(f"{place}: {' '.join(reasons)}") from error
    return made


def _dumped(value: Any) -> Any:
    if isinstance(value, models.Model):
        return getattr(value, name_field(type(value)))
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if isinstance(value, (date, bool, int, list, dict, type(None))) else str(value)


def _read(field: Any, value: Any, place: str) -> Any:
    if not field.is_relation or value is None:
        return Decimal(str(value)) if isinstance(value, float) else value
    model, name = field.related_model, name_field(field.related_model)
    found = model._default_manager.filter(**{name: value}).first()
    if found is None:
        raise Unreadable(f"{place}: no {model._meta.verbose_name} has the {name} “{value}”.")
    return found
