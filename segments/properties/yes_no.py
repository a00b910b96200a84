from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Q, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import Exact

from loyaltyflow.words import strong

from .base import Kind, only, surely


class YesNo(Kind):
    name = "yes_no"
    operators: ClassVar[dict[str, str]] = {"is": "is", "is_set": "is known", "is_not_set": "is not known"}

    @classmethod
    def read(cls, operator: str, value: Any) -> Any:
        words = {"yes": True, "true": True, "no": False, "false": False}
        if isinstance(value, bool):
            return value
        if not isinstance(value, str) or value.strip().lower() not in words:
            raise ValueError("needs yes or no")
        return words[value.strip().lower()]

    @classmethod
    def q(cls, name: str, operator: str, value: Any, now: datetime) -> Q:
        text = only("boolean", name, KeyTextTransform(name, "properties"))
        return surely(Exact(text, Value("true" if value else "false")))

    @classmethod
    def said(cls, operator: str, value: Any) -> str:
        return f"is {strong('yes' if value else 'no')}"
