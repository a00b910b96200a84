from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from .base import KNOWN, Kind
from .date import Date
from .list import List
from .number import Number
from .text import Text
from .yes_no import YesNo

PARTS = ("property", "operator", "value")


def checked(said: Any, declared: dict[str, str], label: str) -> list[dict[str, Any]]:
    """The questions as they are kept; raises ValidationError with what was expected of each that is wrong.

    `declared` says the type of each property of the event that staff read as `label`.
    """
    if not isinstance(said, list) or not all(isinstance(each, dict) for each in said):
        raise ValidationError("Expected a list of questions, each with a property, an operator and a value.")
    kept, reasons = [], []
    for place, each in enumerate(said, 1):
        try:
            kept.append(_checked(each, declared, label))
        except ValueError as error:
            reasons.append(f"Question {place}: {error}.")
    if reasons:
        raise ValidationError(reasons)
    return kept


def _checked(said: dict[str, Any], declared: dict[str, str], label: str) -> dict[str, Any]:
    if unknown := said.keys() - set(PARTS):
        raise ValueError(f"“{min(map(str, unknown))}” is none of property, operator and value")
    name, operator = said.get("property"), said.get("operator")
    if not isinstance(name, str) or name not in declared:
        has = f"It has {', '.join(declared)}" if declared else "Nothing more is known of that event"
        raise ValueError(f"“{name}” is not a property of “{label}”. {has}")
    kind = Kind.registry.get(declared[name], Text)
    if not isinstance(operator, str) or operator not in kind.operators:
        raise ValueError(f"“{operator}” cannot be asked of {name}. Choose one of {', '.join(kind.operators)}")
    if operator in KNOWN:
        return {"property": name, "operator": operator}
    try:
        return {"property": name, "operator": operator, "value": kind.read(operator, said.get("value"))}
    except ValueError as error:
        found = f"Found “{said['value']}”" if said.get("value") not in (None, "") else "None was given"
        raise ValueError(f"“{name} {kind.operators[operator]}” {error}. {found}") from error


def asked(questions: Iterable[dict[str, Any]], now: datetime) -> Q:
    """Which events have all properties as asked."""
    met = Q()
    for each in questions:
        name, operator = each["property"], each["operator"]
        if operator in KNOWN:
            text = Coalesce(KeyTextTransform(name, "properties"), Value(""), output_field=models.TextField())
            met &= Q(Exact(text, Value(""))) if operator == "is_not_set" else ~Q(Exact(text, Value("")))
        else:
            met &= _kind(each).q(name, operator, each["value"], now)
    return met


def moves(questions: Iterable[dict[str, Any]]) -> bool:
    """Whether what is asked for moves with the clock, from one day to the next."""
    return any(each["operator"] in Date.relative for each in questions)


def said(questions: Iterable[dict[str, Any]]) -> str:
    """The questions as the end of a phrase, with its space before it; empty for none."""
    parts = []
    for each in questions:
        end = _kind(each).said(each["operator"], each["value"]) if "value" in each else ""
        end = end or Text.operators[each["operator"]]
        parts.append(f"{str(each['property']).replace('_', ' ')} {end}")
    return f" where {' and '.join(parts)}" if parts else ""


def _kind(question: dict[str, Any]) -> type[Kind]:
    """The kind that a checked question is of; it shows in the operator, and in the value where kinds share one."""
    operator, value = question["operator"], question["value"]
    if isinstance(value, bool):
        return YesNo
    if operator in List.operators:
        return List
    first = value[0] if isinstance(value, list) else value
    if operator in Number.operators and isinstance(first, int | float):
        return Number
    return Date if operator in Date.operators else Text
