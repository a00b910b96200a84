from datetime import datetime
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Case, F, Q, When
from django.db.models.expressions import Combinable

from loyaltyflow.sql import LocalDayStart
from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import day
from loyaltyflow.words import number, strong

from ..comparisons.dates import LONGEST, midnight
from .base import Condition
from .groups import earliest


class JoinedLoyalty(Condition):
    """Belongs to the loyalty programme: has joined and not left."""

    icon = "loyalty"
    shelf = "About them"
    words = "programme membership club"
    labels: ClassVar[dict[str, str]] = {"window_days": "Joined in the past"}
    units: ClassVar[dict[str, str]] = {"window_days": "days"}
    examples: ClassVar[list[dict[str, Any]]] = [{}, {"window_days": 30}, {"window_days": 1}, {"window_days": 0}]

    window_days = models.PositiveIntegerField(
        "days",
        null=True,
        blank=True,
        validators=[MaxValueValidator(LONGEST)],
        help_text="Joined in the past so many days. Empty: ever. 0: today.",
    )

    class Meta:
        verbose_name = "loyalty member"

    def q(self, now: datetime) -> Q:
        member = Customer.member_q(now)
        return member if self.window_days is None else member & self._recent(now)

    def flips(self, now: datetime) -> Combinable | None:
        """When the day of joining falls out of the window, or a joining or leaving that is known ahead comes."""
        ahead = [Case(When(Q((f"{name}__gt", now)), then=F(name))) for name in ("loyalty_joined_at", "loyalty_left_at")]
        if self.window_days is None:
            return earliest(ahead)
        zone = now.tzinfo.key  # type: ignore[union-attr]
        out = LocalDayStart(F("loyalty_joined_at"), zone, self.window_days + 1)
        return earliest([*ahead, Case(When(self.q(now), then=out))])

    def phrase(self) -> str:
        if self.window_days is None:
            return f"belong to the {strong('loyalty programme')}"
        many = f"in the past {strong(number(self.window_days, 'day'))}" if self.window_days else strong("today")
        return f"joined the loyalty programme {many} and did not leave it"

    def seen(self, customer: Customer, now: datetime) -> str:
        joined, left = customer.loyalty_joined_at, customer.loyalty_left_at
        if joined is None or joined > now:
            return "never joined"
        return f"joined on {day(joined)}" + ("" if left is None or left > now else f", left on {day(left)}")

    def _recent(self, now: datetime) -> Q:
        return Q(loyalty_joined_at__gte=midnight(now.date(), now.tzinfo, -(self.window_days or 0)))
