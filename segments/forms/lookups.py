"""Fields in which staff choose one row of many by typing a part of its name."""

from functools import reduce
from operator import and_, or_
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from ..exchange.trees import name_field


class Lookup(forms.TextInput):
    """A field to type in, with what is found below it; keeps the number of the chosen row beside its name."""

    template_name = "editor/lookup.html"
    address = ""
    choices: Any

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, None, attrs)
        pk, text = value if isinstance(value, tuple) else (value, None)
        chosen = self.choices.queryset.filter(pk=pk).first() if is_number(pk) else None
        context["widget"]["is_wrong"] = "aria-invalid" in context["widget"]["attrs"]
        context["widget"] |= {"address": self.address, "pk": pk or "", "text": text or str(chosen or "")}
        return context

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """The template lies with those of the pages, where Django's own renderer does not look."""
        return render_to_string(self.template_name, self.get_context(name, value, attrs))

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return (data.get(name, ""), data.get(f"{name}_text", "").replace("\0", "").strip())


class RowField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """One row among many: the one that was chosen, or the only one that is called what was typed."""

    widget = Lookup

    def clean(self, value: Any) -> Any:
        pk, text = value if isinstance(value, tuple) else (value, "")
        chosen = self.queryset.filter(pk=pk).first() if self.queryset is not None and is_number(pk) else None
        if chosen or not text:
            return chosen or super().clean(None)
        alike = list(found(self.queryset, text)[:2])
        if len(alike) == 1:
            return alike[0]
        noun = self.queryset.model._meta.verbose_name if self.queryset is not None else "row"
        fault = "Several are called" if alike else f"No {noun} is called"
        raise ValidationError(f"{fault} “{text}”. Type a part of the name, then choose one from the list.")


def note(row: Any) -> str:
    """What tells a row from others that are called the same, such as a product's SKU; empty if its name does."""
    unique = name_field(type(row))
    known = str(getattr(row, unique)) if unique else ""
    return "" if known == str(row) else known


def is_number(said: Any) -> bool:
    """Whether it can be the number of a row."""
    return str(said).isdecimal() and len(str(said)) < 19


def found(rows: Any, text: str) -> Any:
    """The rows that have each word of the text in one of the fields by which staff search for them."""
    page = admin.site._registry.get(rows.model)
    fields = [each.lstrip("^=@") for each in (page.search_fields if page else [])] or [name_field(rows.model)]
    asked = [reduce(or_, (Q((f"{field}__icontains", word)) for field in fields)) for word in text.split()]
    return rows.filter(reduce(and_, asked, Q())).order_by(name_field(rows.model))
