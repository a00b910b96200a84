"""Customers with random lives, and what every side says about whom a condition holds for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from random import Random
from typing import Any

from django.db import transaction
from django.db.models import Q

from loyaltyflow.store.models import Customer
from segments.conditions import Condition
from segments.exchange.trees import grown

from . import histories, plain
from .histories.basics import people
from .plain.facts import Facts, known

plain.import_answers()
histories.import_happenings()
Example = dict[str, Any]


@contextmanager
def taken_back() -> Iterator[None]:
    """Whatever is written in the block is gone after it."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def populate(chance: Random, count: int, now: datetime, *conditions: Condition) -> list[Customer]:
    """New customers to each of whom a dozen things happened, mostly what the conditions ask about."""
    made = people(chance, count, now)
    for customer in made:
        for _ in range(chance.randrange(4, 18)):
            happen(chance, customer, now, conditions)
    return made


def happen(chance: Random, customer: Customer, now: datetime, conditions: Sequence[Condition]) -> None:
    """Let something happen to the customer, most likely something that one of the conditions asks about."""
    asked = chance.choice(conditions)
    aims = histories.AIMED.get(type(asked), [])
    if aims and chance.random() < 0.4:
        chance.choice(aims)(chance, customer, asked, now)
    else:
        histories.live(chance, customer, now, area(type(asked)))


def area(kind: type[Condition]) -> str:
    """The file in which the plain answer of the type stands; things happen in the file of the same name."""
    return histories.area_of(plain.ANSWERS[kind])


def condition(kind: type[Condition], example: Example) -> Condition:
    """The condition that an example describes, not saved."""
    return grown({kind.type_name(): example})


def found(q: Q) -> set[int]:
    """The ids of the customers who meet it."""
    return set(Customer.objects.filter(q).values_list("pk", flat=True))


def judged(asked: Condition, facts: dict[int, Facts], now: datetime) -> set[int]:
    """The ids of the customers who meet the condition, by its plain answer."""
    return {pk for pk, of_one in facts.items() if plain.holds(asked, of_one, now)}


def next_event(facts: Facts, after: datetime) -> datetime | None:
    """When something is to happen to the customer next, as far as it is known."""
    ahead = [event["occurred_at"] for event in facts["events"] if event["occurred_at"] > after]
    return min(ahead, default=None)


__all__ = ["Facts", "known"]
