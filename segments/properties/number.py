from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django.db import models
from django.db.models import Case, Func, Q, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, IsNull, LessThan, LessThanOrEqual, Regex

from loyaltyflow.words import strong

from ..comparisons.number import NumberOperator
from .base import KNOWN, Kind, is_a, surely, two


class Number(Kind):
    name = "number"
    operators: ClassVar[dict[str, str]] = {
        str(value): f"is {label}" if value not in KNOWN else str(label) for value, label in NumberOperator.choices
    }
    comparisons: ClassVar[dict[str, Any]] = {
        "at_least": GreaterThanOrEqual,
        "at_most": LessThanOrEqual,
        "more_than": GreaterThan,
        "less_than": LessThan,
        "is": Exact,
    }

    @classmethod
    def read(cls, operator: str, value: Any) -> Any:
        if operator == NumberOperator.BETWEEN:
            low, high = (_number(each) for each in two(value, "two numbers, such as 1 and 5"))
            if high < low:
                raise ValueError(f"needs the smaller number first: {high:,} is less than {low:,}")
            return [low, high]
        return _number(value)

    @classmethod
    def q(cls, name: str, operator: str, value: Any, now: datetime) -> Q:
        found = _as_number(name)
        if operator == NumberOperator.BETWEEN:
            low, high = value
            return cls.q(name, "at_least", low, now) & cls.q(name, "at_most", high, now)
        if operator == NumberOperator.IS_NOT:
            return Q(IsNull(found, False)) & ~cls.q(name, "is", value, now)
        asked = Value(Decimal(str(value)), output_field=models.DecimalField(max_digits=30, decimal_places=9))
        return surely(cls.comparisons[operator](found, asked))

    @classmethod
    def said(cls, operator: str, value: Any) -> str:
        said = [f"{each:,}" for each in (value if isinstance(value, list) else [value])]
        return f"{cls.operators[operator]} {' and '.join(map(strong, said))}"


def _as_number(name: str) -> Case:
    """The number, also where a text writes it, such as the amount “12.50”."""
    text = KeyTextTransform(name, "properties")
    exact = models.DecimalField(max_digits=30, decimal_places=9)
    value = Func(text, template="(%(expressions)s)::numeric", output_field=exact)
    in_words = is_a("string", name) & Q(Regex(text, Value(r"^-?\d{1,18}(\.\d{1,9})?$")))
    return Case(When(is_a("number", name) | in_words, then=value), output_field=exact)


def _number(value: Any) -> int | float:
    try:
        found = Decimal(str(value).strip()) if not isinstance(value, bool) else None
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite() or abs(found) >= 10**15:
        raise ValueError("needs a number, such as 3")
    return int(found) if found == found.to_integral_value() else float(found)
