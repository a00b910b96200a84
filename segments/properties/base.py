"""What the kinds of properties share."""

import re
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Case, Func, Q, Value, When
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from loyaltyflow.words import strong

KNOWN = {"is_set", "is_not_set"}


class Kind:
    """One type of property: its operators, how their values are written, and what they ask in SQL."""

    name: ClassVar[str]
    operators: ClassVar[dict[str, str]]  # name → as staff read it
    registry: ClassVar[dict[str, type["Kind"]]] = {}

    def __init_subclass__(cls) -> None:
        Kind.registry[cls.name] = cls

    @classmethod
    def read(cls, operator: str, value: Any) -> Any:
        """The value as it is kept; raises ValueError with what was expected."""
        raise NotImplementedError

    @classmethod
    def q(cls, name: str, operator: str, value: Any, now: datetime) -> Q:
        """Which events have the property as asked; the value is one that `read` returned."""
        raise NotImplementedError

    @classmethod
    def said(cls, operator: str, value: Any) -> str:
        """The operator with its value as the end of a phrase about the property."""
        return f"{cls.operators[operator]} {strong(value)}"


def is_a(kind: str, name: str) -> Q:
    found = Func(KeyTransform(name, "properties"), function="jsonb_typeof", output_field=models.TextField())
    return surely(Exact(found, Value(kind)))


def only(kind: str, name: str, then: Any) -> Case:
    """The expression where JSON has a value of that kind, else NULL; CASE keeps the rest from being looked at."""
    return Case(When(is_a(kind, name), then=then))


def surely(comparison: Any) -> Q:
    return Q(Coalesce(comparison, Value(False), output_field=models.BooleanField()))


def two(value: Any, expected: str) -> list[Any]:
    parts = re.split(r"\s+and\s+|\s*,\s*", value.strip()) if isinstance(value, str) else value
    if not isinstance(parts, list) or len(parts) != 2:
        raise ValueError(f"needs {expected}")
    return parts
