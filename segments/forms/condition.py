"""The form of one condition, built from what its type says about itself."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django import forms
from django.db import models

from loyaltyflow.store.clock import store

from ..comparisons.dates import ComparesDate
from ..comparisons.month_day import ComparesMonthDay
from ..comparisons.window import InWindow
from ..conditions import Condition
from ..exchange.trees import own_fields
from ..properties.field import Questions
from .clauses import Clause, Part
from .filters import FilterField
from .leads import compared, in_window
from .lookups import Lookup, RowField

MONEY = "money"  # as a unit: the store's currency
MANY = 2  # so many optional lines are shown at once
FEW = 40  # so many rows, and they are a list to choose from; more are searched
WINDOW = ("window_days", "since", "until", "since_own")
WHEN = {  # sort of time → label, and the columns of InWindow that it asks for
    "ever": ("Ever", set()),
    "past": ("In the past", {"window_days"}),
    "between": ("Between two dates", {"since", "until"}),
    "since": ("Since a date", {"since"}),
    "until": ("Up to a date", {"until"}),
    "own": ("Since a day of their own", {"since_own"}),
}
BEFORE = {"last_month": "To"}  # field → what stands before it where it follows another in its line
# Operators whose number has its unit behind it, so that both read as one sentence: In the past [21] days.
SAID = {
    "none": "Not at all",
    "past_days": "In the past",
    "next_days": "In the next",
    "more_than_days_ago": "Longer ago than",
    "more_than_days_ahead": "Further ahead than",
    "in_for_days": "Has been in it for at least",
    "entered_past_days": "Entered it in the past",
    "left_past_days": "Left it in the past",
    "got_in_past_days": "Has it, and got it in the past",
    "has_had_for_days": "Has had it for at least",
}


class ConditionForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a type of condition asks; fields that do not matter, given the others, are neither shown nor read."""

    instance: Condition

    def __init__(self, *args: Any, now: datetime, address: str = "", offered: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        self.kind = type(self.instance)
        self.asked_with = {name: rule for name, rule in self.kind.asked_with.items() if name in self.fields}
        if issubclass(self.kind, InWindow):
            self._ask_when()
        for name, field in self.fields.items():
            self._dress(name, field, address, offered or {})
        self.order_fields(sorted(self.fields, key=self._rank))
        if self.is_bound:
            said: Any = self.data
            kept = said.copy()
            for key in [key for key in said if not self._is_read(key, said)]:
                del kept[key]
            self.data = kept
            for name in self.asked_with:
                self.fields[name].required = self.fields[name].required and self.asks(name, said)

    def _ask_when(self) -> None:
        """One choice over the columns of the window, of which only one sort is asked for."""
        choices = [(name, label) for name, (label, _) in WHEN.items()]
        when = forms.ChoiceField(choices=choices, label="When", initial=_when(self.instance))
        at = next(place for place, name in enumerate(self.fields) if name in WINDOW)
        names = list(self.fields)
        self.fields["when"] = when
        self.order_fields([*names[:at], "when", *names[at:]])
        if WINDOW[0] in self.asked_with:  # the type asks for a time with some values of another field only
            self.asked_with["when"] = self.asked_with[WINDOW[0]]
        for column in WINDOW:
            self.asked_with[column] = ("when", {name for name, (_, asked) in WHEN.items() if column in asked})

    def _dress(self, name: str, field: forms.Field, address: str, offered: dict[str, Any]) -> None:
        label = str(field.label or name).lower()
        field.label = self._label(name, str(field.label or name))
        field.error_messages["required"] = f"Say which {label}." if _is_choice(field) else f"Fill in the {label}."
        field.widget.attrs |= {"autocomplete": "off", "aria-label": str(field.label)}
        if name in self.asked_with and name in WINDOW:
            field.required, field.help_text = False, ""  # the window says by itself what is missing
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = offered.get(name, field.queryset)
            is_any = field.queryset is not None and field.queryset.exists()
            nothing = "Choose one" if is_any else f"There is no {label} yet"
            is_needed = field.required or name in self.asked_with
            field.empty_label = nothing if is_needed else f"Any {label}"
            if isinstance(field, RowField) and isinstance(field.widget, Lookup):
                field.widget.address = f"{address}options/{self.kind.type_name()}/{name}/"
                field.widget.attrs["placeholder"] = f"Search for a {label}" if is_needed else f"Any {label}"
        elif isinstance(field, forms.TypedChoiceField):
            field.choices = [
                (value, self._choice(name, label, value, text))
                for value, text in _options(field)
                if value != "" or not field.required
            ]
        elif isinstance(field, (forms.IntegerField, forms.DecimalField)):
            field.widget.attrs |= {"placeholder": "Day"} if name in ("day", "last_day") else {}
            field.widget = forms.TextInput({**field.widget.attrs, "inputmode": "decimal"})
            field.error_messages["invalid"] = "Write a number in digits, such as 21."
            self._plain(name)
        elif isinstance(field, forms.DateField):
            field.widget = forms.DateInput({**field.widget.attrs, "type": "date"}, format="%Y-%m-%d")
        elif name in self.kind.suggestions:
            field.widget.attrs["list"] = f"id_{name}_known"
        elif isinstance(field.widget, forms.Textarea):
            field.widget.attrs["rows"] = 3

    def _label(self, name: str, own: str) -> str:
        """What stands over the field's line."""
        is_date = name == "operator" and issubclass(self.kind, (ComparesDate, ComparesMonthDay))
        return self.kind.labels.get(name) or ("When" if is_date else own)

    def _choice(self, name: str, label: str, value: Any, text: str) -> str:
        """What a choice is called where it is chosen."""
        if "---" in text:
            return "Choose one" if name in self.asked_with else f"Any {label}"
        return self.kind.labels.get(f"{name}={value}") or _begun(SAID.get(value, text))

    def _rank(self, name: str) -> int:
        """Where it stands: first what is asked about, then how it is compared, then when, then what narrows it down."""
        if name in ("when", "days", *WINDOW):
            return 2
        if name == "operator":
            return 1
        if name in self.asked_with:
            return self._rank(self.asked_with[name][0])
        leads = self.asked_with.get("operator", ("", set()))[0] == name
        return 0 if self.fields[name].required or leads else 3

    def _depth(self, name: str) -> int:
        """How many others decide whether the field is asked for."""
        return 1 + self._depth(self.asked_with[name][0]) if name in self.asked_with else 0

    def _plain(self, name: str) -> None:
        """Write a number without the noughts that its column keeps: 200, not 200.000."""
        value = self.initial.get(name, self.fields[name].initial)
        if isinstance(value, Decimal):
            self.initial[name] = f"{value.normalize():f}"

    def _is_read(self, key: str, said: Any) -> bool:
        name = key.removesuffix("_text")
        return self.asks(name if name in self.fields else key, said)

    def asks(self, name: str, said: Any) -> bool:
        """Whether the field matters, given what is said in the others."""
        if name not in self.asked_with:
            return True
        other, values = self.asked_with[name]
        return self.asks(other, said) and str(said.get(other, "")) in {str(each) for each in values}

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if "when" in self.fields:
            for column in WINDOW:
                if not self.asks(column, said):
                    said[column] = "" if column == "since_own" else None
            for column in WHEN[said.get("when") or "ever"][1]:
                if not said.get(column) and said.get(column) != 0 and column not in self.errors:
                    self.add_error(column, _missing(column))
        return said

    def main(self) -> list[Clause]:
        """The lines that staff see at once."""
        folded = {id(each) for each in self.folded()}
        return [each for each in self._clauses if id(each) not in folded]

    def folded(self) -> list[Clause]:
        """The lines that narrow it down and say nothing yet, if there are many: they stand below, folded."""
        idle = [each for each in self._clauses if each.is_idle]
        return idle if len(idle) > MANY else []

    def clauses(self) -> list[Clause]:
        """The lines of the form, each with the inputs that belong together."""
        return self._clauses

    @cached_property
    def _clauses(self) -> list[Clause]:
        said = self.data if self.is_bound else {name: self[name].value() for name in self.fields}
        drawn: dict[str, Clause] = {}
        homes = {name: self._home(name) for name in self.fields}
        places = list(dict.fromkeys(homes.values()))  # a line stands where the first of its fields does
        for name in sorted(self.fields, key=lambda name: (places.index(homes[name]), self._depth(name))):
            field, home = self.fields[name], homes[name]
            part = self._part(name, said, is_first=home not in drawn)
            if home in drawn and home != name:
                drawn[home].parts.append(part)
            else:
                alone = not field.required and name != "when" and name not in self.asked_with
                drawn[name] = Clause(str(field.label or name), [part], is_optional=alone)
        for clause in drawn.values():
            clause.leads = self._leads(clause)
        return list(drawn.values())

    def _home(self, name: str) -> str:
        """The field in whose line the field stands: the one that decides whether it is asked for, or its own."""
        has_line = name == "when" or name in self.kind.labels or isinstance(self.fields[name], RowField)
        if has_line or name not in self.asked_with:
            return name
        return self._home(self.asked_with[name][0])

    def _part(self, name: str, said: Any, is_first: bool) -> Part:
        field, (other, values) = self.fields[name], self.asked_with.get(name, ("", set()))
        is_number = isinstance(field, (forms.IntegerField, forms.DecimalField))
        label = str(field.label or "")
        known = self.kind.suggestions[name]() if name in self.kind.suggestions else []
        return Part(
            self[name],
            suggestions=known,
            unit=self._unit(name),
            before=BEFORE.get(name, label if label.lower() in {"and", "from", "to"} else "") if not is_first else "",
            asked_with=other,
            values=" ".join(sorted(str(each) for each in values)),
            is_number=is_number,
            is_hidden=not self.asks(name, said),
        )

    def _unit(self, name: str) -> str:
        unit = self.kind.units.get(name, "")
        return store().currency if unit == MONEY else unit

    def _leads(self, clause: Clause) -> str:
        """What the numbers of days in the line come to today."""
        known = clause.first.field.name
        if self.errors and self.is_bound:
            return ""
        if known == "when" and isinstance(self.instance, InWindow):
            return in_window(self.instance, self.now.date())
        if known == "operator" and isinstance(self.instance, ComparesDate):
            return compared(self.instance, self.now.date())
        return ""


def condition_form(kind: type[Condition]) -> Callable[..., ConditionForm]:
    """The form of the type; columns that name rows, of which there may be many, are searched."""
    names = [each.name for each in own_fields(kind) if each.editable]
    made: Any = forms.modelform_factory(kind, form=ConditionForm, fields=names, formfield_callback=_field)
    return made


def _field(column: Any, **options: Any) -> forms.Field | None:
    if isinstance(column, Questions):
        return FilterField(label=str(column.verbose_name), required=False, help_text=column.help_text)
    if isinstance(column, models.ForeignKey):
        rows = column.related_model._default_manager.all()
        if rows[: FEW + 1].count() > FEW:
            return column.formfield(**options, form_class=RowField)
    return column.formfield(**options)


def _options(field: Any) -> list[tuple[Any, str]]:
    return [(value, str(text)) for value, text in field.choices]


def _begun(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def _is_choice(field: forms.Field) -> bool:
    return isinstance(field, (forms.ChoiceField, forms.ModelChoiceField))


def _when(condition: Any) -> str:
    set_ = {column for column in WINDOW if getattr(condition, column) not in (None, "")}
    return next(name for name, (_, asked) in WHEN.items() if asked == set_)


def _missing(column: str) -> str:
    if column == "window_days":
        return "Write how many days, such as 21."
    return "Choose the day that it counts from." if column == "since_own" else "Choose a day."
