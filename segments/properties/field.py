from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from .base import Kind
from .questions import PARTS, end_of

HELP = "One on each line, such as “score is at most 3” or “url contains tea”. All of them must hold."


class QuestionsInWords(forms.CharField):
    """Questions about properties as lines of text, each a property, an operator and a value."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(_line, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        lines = [line.strip() for line in (value or "").splitlines()]
        return [_read(line) for line in lines if line]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial) != (data or ""))


class Questions(models.JSONField):
    """Questions about the properties of an event, as `questions.checked` keeps them."""

    def __init__(self, **options: Any) -> None:
        known = {"default": list, "blank": True, "encoder": DjangoJSONEncoder, "help_text": HELP}
        super().__init__(**{**known, **options})

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """With the parts of each question in the order in which they are said, which PostgreSQL does not keep."""
        found = super().from_db_value(value, expression, connection)
        return [{part: each[part] for part in PARTS if part in each} for each in found] if found else found

    def formfield(self, **kwargs: Any) -> Any:
        return models.Field.formfield(self, **{**kwargs, "form_class": QuestionsInWords, "choices_form_class": None})


def _line(question: dict[str, Any]) -> str:
    """The question as it is written in a form: score is at most 3."""
    operator, value = end_of(question)
    values = value if isinstance(value, list) else [value]
    words = {True: "yes", False: "no"}
    said = [words[each] if isinstance(each, bool) else str(each) for each in values if each is not None]
    between = " and " if question["operator"] == "between" else ", "
    return f"{question['property']} {operator} {between.join(said)}".strip()


def _read(line: str) -> dict[str, Any]:
    """The question that a line says; raises ValidationError if it has no operator."""
    name, _, rest = line.partition(" ")
    for label, operator in _labels():
        if rest.lower() == label or rest.lower().startswith(f"{label} "):
            value = rest[len(label) :].strip()
            return {"property": name, "operator": operator, **({"value": value} if value else {})}
    raise ValidationError(
        f"“{line}” is not a property, an operator and a value. Write it such as “score is at most 3”."
    )


def _labels() -> list[tuple[str, str]]:
    """Every operator with what it is called, the longest names first."""
    known = {(label.lower(), name) for kind in Kind.registry.values() for name, label in kind.operators.items()}
    known |= {(name, name) for kind in Kind.registry.values() for name in kind.operators}
    return sorted(known, key=lambda each: -len(each[0]))
