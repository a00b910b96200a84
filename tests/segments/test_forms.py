"""The form of every type of condition, tried on each of its examples: what it draws, it reads back as the same."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.template.loader import render_to_string

from loyaltyflow.store.models import StoreSettings
from segments.checks import condition_types
from segments.conditions import Condition
from segments.conditions.spent import Spent
from segments.exchange.trees import dumped
from segments.forms.condition import condition_form
from segments.forms.filters import FilterField, in_words
from tests.segments import histories
from tests.segments.population import condition
from workflows.conditions.in_workflow import InWorkflow

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
def test_every_line_says_what_is_asked(kind):
    form = form_of(kind())
    labels = [clause.label for clause in form.clauses()]

    assert {*labels} & {"operator", "value", "number", "count", "days", "date", "with"} == set()
    assert len({*labels}) == len(labels)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type_name())
def test_the_form_asks_first_what_is_meant_then_how_it_is_compared_then_when(kind):
    names = [part.field.name for clause in form_of(kind()).clauses() for part in clause.parts]
    known = [
        name for name in ("event_type", "attribute", "pattern", "tag", "which", "field", "operator") if name in names
    ]
    after = [name for name in ("value", "count", "days", "when", "product", "category", "where") if name in names]

    assert [name for name in names if name in (*known, *after)] == [*known, *after]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type_name())
def test_no_choice_is_offered_that_cannot_be_meant(kind):
    form = form_of(kind())
    for name in form.asked_with:
        choices = [str(label) for _, label in getattr(form.fields[name], "choices", [])]
        assert [each for each in choices if each.startswith("Any ")] == []


def test_a_time_is_asked_for_only_where_it_matters():
    is_in, was_in = (form_of(InWorkflow(operator=each)) for each in ("is_in", "entered"))

    [hidden] = [clause for clause in is_in.clauses() if clause.label == "When"]
    [shown] = [clause for clause in was_in.clauses() if clause.label == "When"]
    assert (hidden.first.is_hidden, shown.first.is_hidden) == (True, False)
    assert (hidden.first.asked_with, hidden.first.values.split()) == (
        "operator",
        ["entered", "finished", "left_early", "never_entered", "reached_goal"],
    )


def test_amounts_of_money_stand_before_the_stores_currency():
    StoreSettings.load()
    StoreSettings.objects.update(currency="EUR")

    units = {part.field.name: part.unit for clause in form_of(Spent()).clauses() for part in clause.parts}
    assert (units["value"], units["upper"], units["window_days"]) == ("EUR", "EUR", "days")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type_name())
def test_an_empty_form_says_in_whole_sentences_what_is_missing(kind):
    form = form_of(kind(), {})
    said = [str(error) for errors in form.errors.values() for error in errors]
    assert [each for each in said if not each.endswith(".") or "This field" in each] == []
