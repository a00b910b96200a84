"""A field in which staff say what must be known of an event: rows of a property, how it is compared, and with what."""

import json
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from loyaltyflow.store.models import EventType

from ..properties.base import KNOWN, Kind

KINDS = {"text": "Text", "number": "Number", "date": "Date", "yes_no": "Yes or no", "list": "List"}
Question = dict[str, Any]


class FilterRows(forms.Widget):
    """A row for each question and an empty one; the properties offered are those of the event that is chosen."""

    template_name = "editor/filters.html"

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        declared = {str(pk): properties for pk, properties in EventType.objects.values_list("pk", "properties")}
        rows = [*(value or []), {}]
        kinds = [(kind, label, Kind.registry[kind].operators) for kind, label in KINDS.items()]
        about = {
            "name": name,
            "rows": [in_words(each) for each in rows],
            "kinds": kinds,
            "id": (attrs or {}).get("id", ""),
        }
        return render_to_string(self.template_name, about | {"declared": json.dumps(declared), "without": list(KNOWN)})

    def format_value(self, value: Any) -> Any:
        return value

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[Question]:
        parts = [_several(data, f"{name}_{part}") for part in ("property", "operator", "value")]
        rows = zip(*parts, strict=False)
        return [
            _question(*(each.replace("\0", "").strip() for each in row))
            for row in rows
            if row[0].strip() or row[2].strip()
        ]


class FilterField(forms.Field):
    """Questions about what is known of an event, as the condition keeps them; it checks them itself."""

    widget = FilterRows

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != (data or []))

    def to_python(self, value: Any) -> list[Question]:
        return value or []


def _several(data: Any, name: str) -> list[str]:
    """All values of that name, as a browser sends them."""
    if hasattr(data, "getlist"):
        return list(data.getlist(name))
    said = data.get(name, [])
    return said if isinstance(said, list) else [said]


def _question(name: str, operator: str, value: str) -> Question:
    said = {"property": name, "operator": operator}
    return said if operator in KNOWN or not value else {**said, "value": value}


def in_words(question: Question) -> Question:
    """The question as it stands in its row: its value as one text."""
    value = question.get("value", "")
    values = value if isinstance(value, list) else [value]
    words = {True: "yes", False: "no"}
    said = [words[each] if isinstance(each, bool) else str(each) for each in values]
    return {**question, "value": (" and " if question.get("operator") == "between" else ", ").join(said)}
