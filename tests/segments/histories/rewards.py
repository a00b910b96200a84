"""Points that customers get and lose."""

from datetime import datetime
from random import Random

from django.db.models import Value

from loyaltyflow.store.models import Customer
from rewards import ledger
from rewards.models import Entry

from . import happening, numbers, tell


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
def lose_points(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """What corrections and spending will be: an entry below zero, and its event."""
    lost = Entry.objects.create(
        customer=customer,
        kind=Entry.Kind.BOOST,
        points=chance.choice([-10, -50, -100]),
        occurred_at=min(at, now),
        key=f"history:{next(numbers)}",
        explanation="Taken back",
    )
    tell("points_given", customer, lost.occurred_at, points=lost.points)
