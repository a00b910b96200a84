from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Func, Q, Value
from django.db.models.fields.json import KeyTransform

from loyaltyflow.words import strong

from ..comparisons.text import TextOperator
from .base import Kind, is_a, only, surely
from .text import Text


class List(Kind):
    name = "list"
    operators: ClassVar[dict[str, str]] = {
        "includes": "includes",
        "does_not_include": "does not include",
        "is_set": "is known",
        "is_not_set": "is not known",
    }

    @classmethod
    def read(cls, operator: str, value: Any) -> Any:
        return Text.read(TextOperator.IS, value)

    @classmethod
    def q(cls, name: str, operator: str, value: Any, now: datetime) -> Q:
        found = only("array", name, KeyTransform(name, "properties"))
        within = surely(Includes(found, Value(value), output_field=models.BooleanField()))
        if operator == "includes":
            return within
        return Q(is_a("array", name)) & ~within

    @classmethod
    def said(cls, operator: str, value: Any) -> str:
        return f"{cls.operators[operator]} “{strong(value)}”"


class Includes(Func):
    """Whether a text, or the number that it writes, stands in a list, whatever the capitals."""

    arity = 2

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        (found, known), (value, asked) = (compiler.compile(each) for each in self.source_expressions)
        sql = (
            f"EXISTS (SELECT FROM jsonb_array_elements_text({found}) AS one (said) WHERE lower(said) = lower({value}))"
        )
        return sql, [*known, *asked]
