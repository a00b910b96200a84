from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q

from loyaltyflow.store.models import Customer, Event
from loyaltyflow.words import number, strong
from segments.comparisons.page import MatchesPage
from segments.conditions import Condition

from .since_step import SinceStep


class VisitedPageSince(MatchesPage, SinceStep, Condition):
    """Has visited a page of your site, or has not, since an earlier step of this workflow."""

    icon = "web"
    shelf = "This workflow"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"step": "Send the offer", "pattern": "/offers/*"},
        {"step": "Send the offer", "pattern": "/offers/*", "has_visited": False},
        {"step": "Start", "pattern": "*/checkout"},
    ]
    asked_of_segments = False

    has_visited = models.BooleanField("did visit it", default=True, help_text="Off: holds for those who did not.")

    class Meta:
        verbose_name = "page visited since a step"

    def q(self, now: datetime) -> Q:
        views = Event.objects.up_to(now).filter(
            self.is_page(),
            customer=OuterRef("enrolment__customer"),
            name="page_visited",
            occurred_at__gt=OuterRef("left_at"),
        )
        visited = Exists(views)
        return Q(Exists(self.visits(OuterRef("pk")).filter(visited if self.has_visited else ~visited)))

    def flips(self, now: datetime) -> None:
        return None

    def phrase(self) -> str:
        did = "visited" if self.has_visited else strong("did not visit")
        return f"{did} the page “{strong(self.pattern)}” {self.since()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        visit = self.visits(customer.pk).first()
        if visit is None:
            return "has not come to the step"
        views = customer.events.up_to(now).named("page_visited").filter(self.is_page(), occurred_at__gt=visit.left_at)
        return f"{number(views.count(), 'visit')} since"
