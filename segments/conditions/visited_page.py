from datetime import date, datetime
from typing import Any, ClassVar

from django.db.models import OuterRef, Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.events import EventQuerySet
from loyaltyflow.store.models import Customer, Event
from loyaltyflow.words import strong

from ..comparisons.page import MatchesPage
from ..comparisons.times import CountsTimes, HowOften, tally
from .base import Condition


class VisitedPage(MatchesPage, CountsTimes, Condition):
    """Pages of your site that they visited so many times."""

    icon = "web"
    shelf = "What they did"
    words = "website url address"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"pattern": "/tea/*", "window_days": 30},
        {"pattern": "shop.example.com/sale", "operator": "at_most", "count": 1},
        {
            "pattern": "*/checkout",
            "operator": "exactly",
            "count": 2,
            "since": date(2026, 9, 1),
            "until": date(2026, 12, 31),
        },
        {"pattern": "*?*utm_source=mail*", "operator": "none", "since_own": "registered_at"},
        {"pattern": "/tea?sort=*", "count": 1},
    ]

    class Meta:
        verbose_name = "page visited"

    def q(self, now: datetime) -> Q:
        return self.counted(self._visits(now), "occurred_at", now)

    def flips(self, now: datetime) -> Combinable | None:
        """When the visit that decides falls out of the time."""
        return self.uncounted(self._visits(now), "occurred_at", now)

    def phrase(self) -> str:
        page, when = f"the page “{strong(self.pattern)}”", self.when()
        if self.operator == HowOften.NONE:
            return f"did {strong('not')} visit {page}{when}" if when else f"{strong('never')} visited {page}"
        return f"visited {page} {self.times()}{when}"

    def seen(self, customer: Customer, now: datetime) -> str:
        visits = Event.objects.named("page_visited").filter(self.is_page(), customer=customer)
        return tally(visits.filter(self.inside("occurred_at", now, customer)), "occurred_at", now)

    def _visits(self, now: datetime) -> EventQuerySet:
        visits = Event.objects.up_to(now).filter(customer=OuterRef("pk"), name="page_visited")
        return visits.filter(self.is_page())
