"""Tiers that customers come into, keep and lose."""

from datetime import datetime
from random import Random

from loyaltyflow.store.models import Customer
from rewards.models import Standing, Tier

from . import furnishing, happening, tell


@furnishing
def tiers() -> None:
    for name, threshold in (("Bronze", 0), ("Silver", 500), ("Gold", 1500)):
        Tier.objects.get_or_create(name=name, defaults={"threshold": threshold})


@happening
def change_tier(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    before = Standing.objects.open().filter(customer=customer).select_related("tier").first()
    at = max(min(at, now), before.since) if before else min(at, now)
    Standing.objects.open().filter(customer=customer).update(until=at)
    tier = chance.choice([*Tier.objects.order_by("threshold"), None])
    if tier:
        Standing.objects.create(
            customer=customer, tier=tier, since=at, reason=_reason(chance, before.tier if before else None, tier)
        )
    tell("tier_changed", customer, at, tier=tier.name if tier else "")


def _reason(chance: Random, before: Tier | None, tier: Tier) -> str:
    if before and tier.threshold < before.threshold:
        return chance.choice([Standing.Reason.LOWERED, Standing.Reason.RETURNED, Standing.Reason.BY_HAND])
    return Standing.Reason.RENEWED if before == tier else Standing.Reason.REACHED
