"""Points that customers get and lose."""

from contextlib import suppress
from datetime import datetime, timedelta
from random import Random

from django.db.models import Value

from loyaltyflow.store.models import Customer
from rewards import ledger
from rewards.bill import Refused
from rewards.models import Entry

from . import happening, numbers


@happening
def get_points(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    ledger.award(
        Customer.objects.filter(pk=customer.pk),
        kind=chance.choice([Entry.Kind.EARN, Entry.Kind.BOOST]),
        points=Value(chance.choice([10, 50, 100, 500])),
        key=Value(f"history:{next(numbers)}"),
        customer="pk",
        explanation=Value("Luck"),
        now=min(at, now),
    )


@happening
def get_points_for_a_time(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """They wait for some days, or expire after some more, or both."""
    then = min(at, now)
    waits, lives = chance.choice([(0, 5), (3, None), (3, 30), (14, 90)])
    ledger.award(
        Customer.objects.filter(pk=customer.pk),
        kind=Entry.Kind.EARN,
        points=Value(chance.choice([10, 50, 100])),
        key=Value(f"history:{next(numbers)}"),
        customer="pk",
        explanation=Value("Luck"),
        now=then,
        available_at=then + timedelta(days=waits),
        expires_at=None if lives is None else then + timedelta(days=lives),
    )


@happening
def lose_points(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """What can be spent is spent, or taken by staff; if there is less, nothing happens."""
    verb = chance.choice([ledger.redeem, ledger.take])
    with suppress(Refused):
        points = chance.choice([10, 50, 100])
        verb(customer.pk, points, key=f"history:{next(numbers)}", explanation="Spent", now=min(at, now))


@happening
def time_is_noted(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """What the tick does about points that waited or expired."""
    ledger.activate(min(at, now), [customer.pk])
    ledger.expire(min(at, now), [customer.pk])
