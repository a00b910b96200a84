from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Lower
from django.db.models.lookups import Exact, IRegex

from loyaltyflow.words import listed, strong

from ..comparisons.text import LOOKUPS, OPPOSITES, TextOperator, must_be_a_pattern
from .base import Kind, only


class Text(Kind):
    name = "text"
    operators: ClassVar[dict[str, str]] = {str(value): str(label) for value, label in TextOperator.choices}

    @classmethod
    def read(cls, operator: str, value: Any) -> Any:
        if operator in (TextOperator.IN_LIST, TextOperator.NOT_IN_LIST):
            parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
            known = [str(each).strip() for each in parts if str(each).strip()]
            if not known:
                raise ValueError("needs texts with commas between them, such as red, blue")
            return known
        if not isinstance(value, str | int | float) or isinstance(value, bool) or not str(value).strip():
            raise ValueError("needs a text, such as red")
        if operator == TextOperator.MATCHES:
            try:
                must_be_a_pattern(str(value).strip())
            except ValidationError as error:
                raise ValueError(f"needs a pattern: {' '.join(error.messages)}") from error
        return str(value).strip()

    @classmethod
    def q(cls, name: str, operator: str, value: Any, now: datetime) -> Q:
        text = Coalesce(
            only("string", name, KeyTextTransform(name, "properties")), Value(""), output_field=models.TextField()
        )
        known = ~Q(Exact(text, Value("")))
        if operator == TextOperator.MATCHES:
            return known & Q(IRegex(text, Value(value)))
        if operator in (TextOperator.IN_LIST, TextOperator.NOT_IN_LIST):
            among = Q(*(cls.compares(text, TextOperator.IS, each) for each in value), _connector=Q.OR)
            return among if operator == TextOperator.IN_LIST else known & ~among
        if operator in OPPOSITES:
            return known & ~cls.compares(text, OPPOSITES[TextOperator(operator)], value)
        return known & cls.compares(text, operator, value)

    @staticmethod
    def compares(text: Any, operator: str, value: str) -> Q:
        """The comparison, whatever the capitals."""
        return Q(LOOKUPS[operator](Lower(text), Lower(Value(value))))

    @classmethod
    def said(cls, operator: str, value: Any) -> str:
        return f"{cls.operators[operator]} {listed(value) if isinstance(value, list) else f'“{strong(value)}”'}"
