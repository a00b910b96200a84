"""The form of every type of condition, tried on each of its examples: what it draws, it reads back as the same."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.template.loader import render_to_string

from segments.checks import condition_types
from segments.conditions import Condition
from segments.exchange.trees import dumped
from segments.forms.condition import condition_form
from segments.forms.filters import FilterField, in_words
from tests.segments import histories
from tests.segments.population import condition

KINDS = [kind for kind in condition_types() if kind.asked_of_segments and not kind.takes_parts]
pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 15, tzinfo=UTC).astimezone(ZoneInfo("America/New_York"))


@pytest.fixture(scope="module", autouse=True)
def world(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """What the examples name; it is there for all tests of this file and gone after them."""
    with django_db_blocker.unblock(), transaction.atomic():
        histories.furnish()
        yield
        transaction.set_rollback(True)


def form_of(condition: Condition, data: dict[str, Any] | None = None):
    return condition_form(type(condition))(data, instance=condition, now=NOW)


def typed(form) -> dict[str, str | list[str]]:
    """What a browser would send if nothing were changed."""
    sent: dict[str, str | list[str]] = {}
    for name, field in form.fields.items():
        value = field.widget.format_value(field.prepare_value(form[name].value()))
        if isinstance(field, FilterField):
            rows = [in_words(each) for each in value or []]
            sent |= {
                f"{name}_{part}": [str(row.get(part, "")) for row in rows] for part in ("property", "operator", "value")
            }
            continue
        value = (value or [""])[0] if isinstance(value, list) else value
        if value not in (None, "", False):
            sent[name] = "on" if value is True else str(value)
    return sent


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type_name())
def test_what_a_form_draws_it_reads_back_as_the_same(kind):
    for example in kind.examples:
        one = condition(kind, example)
        form = form_of(one)
        drawn = render_to_string("editor/clauses.html", {"form": form})
        read = form_of(kind(), typed(form))

        assert 'name="' in drawn
        assert read.errors == {}, example
        assert dumped(read.instance) == dumped(one)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type_name())
def test_an_empty_form_says_in_whole_sentences_what_is_missing(kind):
    form = form_of(kind(), {})
    said = [str(error) for errors in form.errors.values() for error in errors]
    assert [each for each in said if not each.endswith(".") or "This field" in each] == []
