"""Tiers that customers come into, keep and lose."""

from datetime import datetime
from random import Random

from loyaltyflow.store.models import Customer
from rewards.models import Programme, Standing, Tier

from . import furnishing, happening, tell
from .world import makes

THRESHOLDS = {"Bronze": 0, "Silver": 500, "Gold": 1500}


@makes(Tier)
def tier(name: str) -> Tier:
    return Tier.objects.create(name=name, threshold=THRESHOLDS[name])


@furnishing
def the_lowest_tier() -> None:
    if not Tier.objects.filter(name="Bronze").exists():
        tier("Bronze")


@furnishing
def the_programme() -> None:
    Programme.load()


@happening
def change_tier(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    before = Standing.objects.open().filter(customer=customer).select_related("tier").first()
    at = max(min(at, now), before.since) if before else min(at, now)
    Standing.objects.open().filter(customer=customer).update(until=at)
    into = chance.choice([*Tier.objects.order_by("threshold"), None])
    if into:
        Standing.objects.create(
            customer=customer, tier=into, since=at, reason=_reason(chance, before.tier if before else None, into)
        )
    tell("tier_changed", customer, at, tier=into.name if into else "")


def _reason(chance: Random, before: Tier | None, into: Tier) -> str:
    if before and into.threshold < before.threshold:
        return chance.choice([Standing.Reason.LOWERED, Standing.Reason.RETURNED, Standing.Reason.BY_HAND])
    return Standing.Reason.RENEWED if before == into else Standing.Reason.REACHED
