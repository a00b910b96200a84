"""The lines of a condition's form, and the inputs in each of them."""

from dataclasses import dataclass
from dataclasses import field as dataclass_field

from django import forms


@dataclass
class Part:
    """One input of a clause: what stands before and after it, and with which values of another it is asked for."""

    field: forms.BoundField
    unit: str = ""
    before: str = ""
    asked_with: str = ""
    values: str = ""
    is_number: bool = False
    is_hidden: bool = False
    suggestions: list[str] = dataclass_field(default_factory=list)

    @property
    def is_select(self) -> bool:
        return isinstance(self.field.field.widget, forms.Select)


@dataclass
class Clause:
    """One line of the form: a label over one input or several."""

    label: str
    parts: list[Part]
    is_optional: bool = False
    leads: str = ""

    @property
    def errors(self) -> list[str]:
        return [str(error) for part in self.parts for error in part.field.errors]

    @property
    def first(self) -> Part:
        return self.parts[0]

    @property
    def is_idle(self) -> bool:
        """Whether it is optional and says nothing."""
        said = any(part.field.value() not in (None, "", ("", "")) for part in self.parts)
        return self.is_optional and not said and not self.errors

    @property
    def is_check(self) -> bool:
        return len(self.parts) == 1 and isinstance(self.first.field.field.widget, forms.CheckboxInput)
