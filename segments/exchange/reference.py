"""The page docs/segments.md, of which all that concerns types of conditions is written from their classes."""

import inspect
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models, transaction

from loyaltyflow.store.clock import written_as_of
from loyaltyflow.store.models import StoreSettings
from loyaltyflow.words import BEGIN, END, of_one

from ..checks import condition_types
from ..conditions import Condition
from .notation import written
from .trees import Plain, name_field, own_fields

INTRODUCTION = Path(__file__).with_name("reference.md")
PAGE = settings.BASE_DIR / "docs" / "segments.md"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # so that every day is written with its year
SHELVES = ["Groups", "About them", "Dates of theirs", "Purchases", "What they did", "Carts", "Messages", "Points"]
SHELVES += ["Tiers", "Vouchers", "Segments", "Workflows", "This workflow"]
KINDS_OF_VALUES: list[tuple[Any, str]] = [
    (models.BooleanField, "`true` or `false`"),
    (models.IntegerField, "a whole number"),
    ((models.DecimalField, models.FloatField), "a number"),
    (models.DateField, "a day, such as `2026-09-01`"),
    (models.JSONField, "a list or a mapping"),
    (models.Field, "a text"),
]


def page() -> str:
    """The whole page: the introduction that people wrote, and every type of condition."""
    with transaction.atomic(), written_as_of(LONG_AGO):
        StoreSettings.objects.all().delete()  # the page is that of a store as it is at first, whatever this one is
        text = INTRODUCTION.read_text() + "\n".join(_conditions()) + "\n"
        transaction.set_rollback(True)
    return text


def _conditions() -> Iterator[str]:
    kinds = condition_types()
    shelves = sorted({kind.shelf for kind in kinds}, key=lambda shelf: (_place(shelf), shelf))
    yield "## The conditions\n"
    for shelf in shelves:
        names = [f"[{_title(kind)}]({_anchor(_title(kind))})" for kind in kinds if kind.shelf == shelf]
        yield f"- **{shelf}**: {', '.join(names)}"
    yield ""
    mixins = _mixins(kinds)
    if mixins:
        yield "## What conditions share\n"
        for mixin in mixins:
            yield from _mixin(mixin, kinds)
    for shelf in shelves:
        yield f"## {shelf}\n"
        for kind in kinds:
            if kind.shelf == shelf:
                yield from _kind(kind)


def _place(shelf: str) -> int:
    return SHELVES.index(shelf) if shelf in SHELVES else len(SHELVES)


def _mixins(kinds: Iterable[type[Condition]]) -> list[type[models.Model]]:
    """The abstract models that bring fields into types, in the order of their titles."""
    found = {mixin for kind in kinds for mixin in _mixins_of(kind)}
    return sorted(found, key=_heading)


def _mixins_of(kind: type[Condition]) -> list[type[models.Model]]:
    return [base for base in kind.__mro__ if _brought(base)]


def _brought(base: Any) -> list[Any]:
    """The fields that an abstract model itself brings into types of conditions; what it inherits, others bring."""
    if not _is_mixin(base):
        return []
    inherited = {field.name for parent in base.__mro__[1:] if _is_mixin(parent) for field in parent._meta.local_fields}
    return [field for field in base._meta.local_fields if not field.auto_created and field.name not in inherited]


def _is_mixin(base: Any) -> bool:
    return bool(getattr(getattr(base, "_meta", None), "abstract", False)) and not issubclass(Condition, base)


def _mixin(mixin: type[models.Model], kinds: Iterable[type[Condition]]) -> Iterator[str]:
    yield f"### {_heading(mixin)}\n"
    yield f"{_help(mixin)}\n"
    users = [kind for kind in kinds if mixin in _mixins_of(kind)]
    # A type's field knows the model that it leads to; an abstract model's knows no more than its name.
    yield from (_field(users[0]._meta.get_field(field.name), mixin) for field in _brought(mixin))
    yield f"\nUsed by {', '.join(f'[{_title(kind)}]({_anchor(_title(kind))})' for kind in users)}.\n"


def _kind(kind: type[Condition]) -> Iterator[str]:
    """Its title, help, fields and examples."""
    yield f"### {_title(kind)}\n"
    yield f"`{kind.type_name()}` · {_help(kind)}\n"
    if not kind.asked_of_segments:
        yield "It makes sense in the conditions of a workflow only.\n"
    if kind.takes_parts:
        yield from _group(kind)
        return
    shared = {field.name for mixin in _mixins_of(kind) for field in _brought(mixin)}
    own = [field for field in own_fields(kind) if field.name not in shared]
    yield from (_field(field, kind) for field in own)
    for mixin in _mixins_of(kind):
        names = [f"`{field.name}`" for field in _brought(mixin)]
        yield f"- {', '.join(names)}: see [{_heading(mixin)}]({_anchor(_heading(mixin))})."
    yield "\nFor example:\n"
    for example in kind.examples:
        yield f"- {_sentence(kind, example)}  \n  `{_in_a_line(kind, example)}`"
    yield ""


def _group(kind: type[Condition]) -> Iterator[str]:
    parts = [{"customer_field": {"value": "MA"}}, {"made_purchase": {"count": 2}}]
    yield f"```yaml\n{written({kind.type_name(): parts})}```\n"


def _title(kind: type[Condition]) -> str:
    name = str(kind._meta.verbose_name)
    return name[:1].upper() + name[1:]


def _heading(mixin: type[models.Model]) -> str:
    """The words in the name of the class: Compares date."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in mixin.__name__)
    return spaced.strip().capitalize()


def _anchor(title: str) -> str:
    """The address of a heading on this page, as GitHub and most others make it."""
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -_")
    return f"#{kept.replace(' ', '-')}"


def _help(described: type) -> str:
    return " ".join((inspect.getdoc(described) or "").split())


def _field(field: Any, owner: Any) -> str:
    """A line about the field: what it is called, takes, means, and is if it is left out."""
    label = str(field.verbose_name)
    called = "" if label == field.name.replace("_", " ") else f" ({label})"
    said = [f"- `{field.name}`{called}: {_takes(field, owner)}."]
    if field.help_text:
        said.append(str(field.help_text))
    if field.name in getattr(owner, "asked_with", {}):
        said.append(_asked_with(owner, *owner.asked_with[field.name]))
    default = field.get_default()
    if default not in (None, "", [], {}):
        said.append(f"Left out: `{_bare(default)}`.")
    return " ".join(said)


def _takes(field: Any, owner: Any) -> str:
    if field.is_relation:
        model = field.related_model
        name = name_field(model)
        of = str(model._meta.verbose_name)
        article = "an" if of[0] in "aeio" else "a"
        named = f"the {model._meta.get_field(name).verbose_name} of {article} {of}" if name else ""
        return named or f"a step of the workflow ({of})"
    if field.choices:
        chosen = [(value, label) for value, label in field.flatchoices if value != ""]
        return "one of " + ", ".join(f"`{value}`" + _meaning(value, label) for value, label in chosen)
    kind = next(words for each, words in KINDS_OF_VALUES if isinstance(field, each))
    unit = getattr(owner, "units", {}).get(field.name)
    return f"{kind} ({unit})" if unit else kind


def _meaning(value: Any, label: Any) -> str:
    return "" if str(label).lower() == str(value).replace("_", " ") else f" ({label})"


def _asked_with(owner: Any, other: str, values: set[str]) -> str:
    """With which values of the other field it is asked for, or without which, whichever is shorter."""
    known = [str(value) for value, _ in owner._meta.get_field(other).flatchoices]
    asked = [value for value in known if value in values]
    unasked = [value for value in known if value not in values]
    is_short = len(asked) <= len(unasked)
    listed = ", ".join(f"`{value}`" for value in (asked if is_short else unasked))
    return f"{'Asked for' if is_short else 'Not asked for'} where `{other}` is {listed}."


def _bare(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def _sentence(kind: type[Condition], example: Plain) -> str:
    """The example as it is said of one customer, what was chosen in bold."""
    phrase = of_one(_unsaved(kind, example).phrase())
    for sign in "*_|<>[]`":
        phrase = phrase.replace(sign, f"\\{sign}")
    return phrase.replace(f"{END} {BEGIN}", " ").replace(BEGIN, "**").replace(END, "**")


def _in_a_line(kind: type[Condition], example: Plain) -> str:
    return written({kind.type_name(): example}, in_a_line=True).strip()[1:-1]


def _unsaved(kind: type[Condition], example: Plain) -> Condition:
    """The condition in memory, with what it names there, too: nothing of it needs to be in the store."""
    fields = {field.name: field for field in own_fields(kind)}
    return kind(**{name: _value(fields[name], value) for name, value in example.items()})


def _value(field: Any, value: Any) -> Any:
    return _named(field.related_model, value) if field.is_relation else field.to_python(value)


def _named(model: Any, name: str) -> models.Model:
    texts = {name_field(model): name, "name": name, "label": name.replace("_", " ").capitalize()}
    known = {field.name for field in model._meta.concrete_fields}
    made: models.Model = model(pk=1, **{field: text for field, text in texts.items() if field in known})
    return made
