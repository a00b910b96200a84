from datetime import date, datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer, Event, EventType
from loyaltyflow.words import strong

from ..comparisons.dates import ComparesDate, DateOperator
from .base import Condition
from .did_event import must_not_be_of_segments


class EventDate(ComparesDate, Condition):
    """When something happened to them for the first or the last time, such as the last login to the mobile app.

    Both ends of “between” count. Who never did it has no such date: it is neither before a day nor after it.
    """

    icon = "event"
    shelf = "What they did"
    labels: ClassVar[dict[str, str]] = {
        "which": "Which time",
        "operator=is_set": "At any time",
        "operator=is_not_set": "Never",
    }
    examples: ClassVar[list[dict[str, Any]]] = [
        {"event_type": "mobile_login", "operator": "between", "date": date(2026, 9, 1), "until": date(2026, 11, 20)},
        {"event_type": "mobile_login", "days": 30},
        {"event_type": "mobile_login", "operator": "more_than_days_ago", "days": 30},
        {"event_type": "mobile_login", "which": "first", "operator": "on", "date": date(2026, 11, 22)},
        {"event_type": "mobile_login", "operator": "not_on", "date": date(2026, 11, 22)},
        {"event_type": "mobile_login", "which": "first", "operator": "before", "date": date(2026, 11, 1)},
        {"event_type": "mobile_login", "operator": "on_or_before", "date": date(2026, 11, 1)},
        {"event_type": "mobile_login", "which": "first", "operator": "after", "date": date(2026, 11, 1)},
        {"event_type": "mobile_login", "operator": "on_or_after", "date": date(2026, 11, 1)},
        {"event_type": "mobile_login", "operator": "is_set"},
        {"event_type": "mobile_login", "operator": "is_not_set"},
    ]

    class Which(models.TextChoices):
        FIRST = "first", "first"
        LAST = "last", "last"

    # What has happened lies never ahead.
    PAST = [each for each in DateOperator.choices if each[0] not in ("next_days", "more_than_days_ahead")]

    event_type = models.ForeignKey(EventType, on_delete=models.PROTECT, related_name="+", verbose_name="event")
    which = models.CharField("time", max_length=5, choices=Which.choices, default=Which.LAST)
    operator = models.CharField(max_length=22, choices=PAST, default=DateOperator.PAST_DAYS)

    class Meta:
        verbose_name = "date of an event"

    def clean(self) -> None:
        """Refuse events that segments write themselves."""
        super().clean()
        if self.event_type_id is not None:
            must_not_be_of_segments(self.event_type)

    def q(self, now: datetime) -> Q:
        return self.compares(self._instant(now), now)

    def flips(self, now: datetime) -> Combinable | None:
        return self.turns(self._instant(now), now)

    def phrase(self) -> str:
        event = f"“{strong(self.event_type.label)}”"
        if self.operator == DateOperator.IS_SET:
            return f"had {event}"
        if self.operator == DateOperator.IS_NOT_SET:
            return f"{strong('never')} had {event}"
        return f"had {event} for the {strong(self.which)} time {self.said()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        rows = Event.objects.filter(customer=customer, name=self.event_type.name).up_to(now)
        one = rows.order_by(*Event.order(self.which == self.Which.LAST)).first()
        return f"the {self.which} on {one.occurred_at.astimezone(now.tzinfo):%Y-%m-%d}" if one else "never"

    def _instant(self, now: datetime) -> Subquery:
        events = Event.objects.filter(customer=OuterRef("pk"), name=self.event_type.name).up_to(now)
        return Subquery(events.order_by(*Event.order(self.which == self.Which.LAST)).values("occurred_at")[:1])
