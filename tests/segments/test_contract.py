"""What every type of condition owes, tried on each of its examples: a new type is tested as soon as it is there.

`pytest tests/segments/test_contract.py --hypothesis-profile=thorough` tries many more histories.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import pytest
from django.db import models, transaction
from django.db.models import Q
from django.db.models.expressions import Combinable
from hypothesis import given
from hypothesis import strategies as st

from loyaltyflow import words
from loyaltyflow.store.models import Customer
from segments.checks import condition_types
from segments.conditions import Condition
from segments.exchange.trees import dumped, own_fields

from . import histories, plain
from .moments import MOMENT, moments
from .population import condition, found, judged, known, next_event, populate, taken_back

KINDS = [kind for kind in condition_types() if kind.asked_of_segments and not kind.takes_parts]
pytestmark = pytest.mark.django_db
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type_name())
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", autouse=True)
def world(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """What the examples name; it is there for all tests of this file and gone after them."""
    with django_db_blocker.unblock(), transaction.atomic():
        histories.furnish()
        yield
        transaction.set_rollback(True)


def examples(kind: type[Condition]) -> list[dict]:
    """The type's examples, and the first of them that takes it with every other choice of each of its fields."""
    given_ones = [*kind.examples]
    for field in own_fields(kind):
        for value, _label in field.choices or ():
            if not any(each.get(field.name, field.get_default()) == value for each in given_ones):
                given_ones += _first_that_takes(kind, field.name, value)
    return given_ones


def _first_that_takes(kind: type[Condition], name: str, value: str) -> list[dict]:
    for example in kind.examples:
        varied = {**example, name: value}
        try:
            made = condition(kind, varied)
        except ValueError:
            continue
        if made.asks(name) and getattr(made, name) == value:
            return [varied]
    return []


@each_kind
def test_its_examples_show_every_operator_and_every_field(kind):
    unseen = []
    for field in own_fields(kind):
        said = {str(each.get(field.name, field.get_default())) for each in kind.examples}
        if field.name == "operator":
            unseen += [f"{field.name}: {value}" for value, _label in field.choices if str(value) not in said]
        elif not any(field.name in each for each in kind.examples):
            unseen.append(field.name)

    assert unseen == []


@each_kind
def test_somebody_passes_each_example_and_somebody_fails(kind, now):
    """By what happens at random, or is aimed at the type (`histories.aimed_at`)."""
    lacking = {number: {"passes", "fails"} for number in range(len(kind.examples))}
    for seed in range(100):  # hardly ever more than a few
        left = [kind.examples[number] for number in lacking]
        with taken_back():
            asked = {number: condition(kind, kind.examples[number]) for number in lacking}
            populate(Random(seed), 16, now, *asked.values())
            for number, one in asked.items():
                inside = found(one.q(now))
                lacking[number] -= {"passes"} if inside else set()
                lacking[number] -= {"fails"} if Customer.objects.count() > len(inside) else set()
        lacking = {number: what for number, what in lacking.items() if what}
        if not lacking or not left:
            break

    assert {str(kind.examples[number]): f"nobody {' and nobody '.join(what)}" for number, what in lacking.items()} == {}


@each_kind
@given(seed=seeds, now=moments())
def test_the_database_explanations_and_plain_python_agree(kind, seed, now):
    chance = Random(seed)
    with taken_back():
        asked = [condition(kind, example) for example in examples(kind)]
        people = populate(chance, 6, now, *asked)
        facts = known()
        for one in asked:
            expected = judged(one, facts, now)
            inside = found(one.q(now))
            assert (dumped(one), found(one.q_of_everybody(now))) == (dumped(one), inside)
            assert (dumped(one), inside - expected, expected - inside) == (dumped(one), set(), set())
            assert found(~Q(one.q(now))) == facts.keys() - inside, "its answer is sometimes neither yes nor no"
            who = chance.choice(people)
            assert one.explain(who, now).holds == (who.pk in expected)


@each_kind
@given(seed=seeds, now=moments())
def test_nothing_changes_before_it_says_that_it_may(kind, seed, now):
    chance = Random(seed)
    with taken_back():
        asked = [condition(kind, example) for example in examples(kind)]
        populate(chance, 6, now, *asked)
        facts = known()
        for one in asked:
            flips = flips_of(one.flips(now))
            assert (dumped(one), flips_of(one.flips_of_everybody(now))) == (dumped(one), flips)
            assert all(at is None or at > now for at in flips.values()), "it flips in the past"
            before = judged(one, facts, now)
            for pk, at in flips.items():
                until = quiet_until(at, next_event(facts[pk], now), now, chance)
                if until is not None:
                    later = plain.holds(one, facts[pk], until)
                    assert (dumped(one), until, later) == (dumped(one), until, pk in before), (
                        flips[pk],
                        facts[pk]["stays"],
                        until,
                        now,
                    )
            for at in chance.sample(edges := sorted({at for at in flips.values() if at}), min(2, len(edges))):
                for moment in (local(at - MOMENT, now), local(at, now)):
                    assert found(one.q(moment)) == judged(one, facts, moment), (dumped(one), moment)


def flips_of(flips: Combinable | None) -> dict[int, datetime | None]:
    if flips is None:
        return dict.fromkeys(Customer.objects.values_list("pk", flat=True))
    return dict(Customer.objects.annotate(at=flips).values_list("pk", "at"))


def quiet_until(flip: datetime | None, event: datetime | None, now: datetime, chance: Random) -> datetime | None:
    """A moment up to which nothing may change: the last before the flip or the next event, or any far ahead."""
    ends = [each for each in (flip, event) if each]
    until = (min(ends) - MOMENT) if ends else now.astimezone(UTC) + chance.choice(histories.SPANS)
    return local(until, now) if until > now else None


def local(moment: datetime, now: datetime) -> datetime:
    """The same instant on the clock of `now`."""
    return moment.astimezone(UTC).astimezone(now.tzinfo)


@each_kind
def test_its_words_are_whole_and_keep_markup_out(kind):
    for example in kind.examples:
        one = condition(kind, example)
        summary = one.summary()
        assert summary.isprintable() and summary == summary.strip() and "  " not in summary, example
        assert summary and not summary.endswith("."), example
        assert one.sentence()[:1] not in "abcdefghijklmnopqrstuvwxyz", example
        for field in own_fields(kind):
            if isinstance(field, models.CharField) and not field.choices and one.asks(field.name):
                setattr(one, field.attname, "<i>&")
            elif field.is_relation and getattr(one, field.attname):
                name_with_markup(getattr(one, field.name))
        assert "<i>" not in one.sentence(), example
        assert words.BEGIN not in one.sentence() and words.END not in one.sentence(), example


def name_with_markup(row: models.Model) -> None:
    for field in row._meta.concrete_fields:
        if isinstance(field, models.CharField):
            setattr(row, field.attname, "<i>&")


@each_kind
def test_plain_values_say_all_of_it(kind):
    defaults = {field.name: field.get_default() for field in own_fields(kind)}
    for example in kind.examples:
        one = condition(kind, example)
        said = {name: value for name, value in example.items() if value != defaults[name]}
        assert dumped(one) == {kind.type_name(): said}


@each_kind
def test_saved_and_copied_it_is_the_same(kind, now):
    with taken_back():
        for example in kind.examples:
            fresh, one = condition(kind, example), condition(kind, example)
            one.save()
            read = Condition.objects.get(pk=one.pk)
            copy = Condition.objects.get(pk=read.copy().pk)

            assert fresh.wording() == read.wording() == copy.wording(), example
            assert asked_in_sql(fresh, now) == asked_in_sql(read, now) == asked_in_sql(copy, now), example
            assert fresh.summary() == read.summary() == copy.summary(), example


def asked_in_sql(one: Condition, now: datetime) -> tuple[str, str]:
    """What the database is asked: for whom it holds, and until when."""
    flips = one.flips(now)
    due = Customer.objects.annotate(at=flips).values("at") if flips is not None else ""
    return str(Customer.objects.filter(one.q(now)).query), str(getattr(due, "query", due))
