from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer, StoreSettings
from loyaltyflow.words import strong

from .base import Condition


class LivesOutOfState(Condition):
    """Lives in another state than the store, such as a tourist, or in the same.

    The store's state stands in the store settings. Customers whose state is not known live neither in it nor out of it.
    """

    icon = "travel_explore"
    shelf = "About them"
    examples: ClassVar[list[dict[str, Any]]] = [{"where": "outside"}, {"where": "inside"}]

    class Where(models.TextChoices):
        OUTSIDE = "outside", "Outside the store's state"
        INSIDE = "inside", "Inside the store's state"

    where = models.CharField("lives", max_length=10, choices=Where.choices, default=Where.OUTSIDE)

    class Meta:
        verbose_name = "out of state"

    def q(self, now: datetime) -> Q:
        store = StoreSettings.load()
        if not store.state:
            return Q(pk__in=[])
        inside = Q(state__iexact=store.state) & (Q(country="") | Q(country__iexact=store.country))
        return ~Q(state="") & (inside if self.where == self.Where.INSIDE else ~inside)

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: moving is an event."""
        return None

    def rests_on(self) -> list[str]:
        """The store's own state."""
        store = StoreSettings.load()
        return [store.state, store.country]

    def phrase(self) -> str:
        return f"live {strong(self.where)} the store's state, {StoreSettings.load().state or 'which is not known'}"

    def seen(self, customer: Customer, now: datetime) -> str:
        where = ", ".join(each for each in (customer.state, customer.country) if each)
        return f"lives in {where}" if customer.state else "state: not known"
