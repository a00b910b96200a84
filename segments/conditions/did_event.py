from datetime import date, datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, Subquery, Value, When
from django.db.models.expressions import Combinable

from loyaltyflow.store.events import EventQuerySet
from loyaltyflow.store.models import Customer, Event, EventType
from loyaltyflow.words import strong

from ..comparisons.dates import midnight
from ..comparisons.times import COUNTED, CountsTimes, HowOften, if_ahead, tally
from ..properties import questions
from ..properties.field import Questions
from .base import Condition
from .groups import earliest

WRITTEN_BY_SEGMENTS = ("segment_entered", "segment_left")


class Occurrence(models.TextChoices):
    ANY = "any", "any"
    FIRST = "first", "only the first ever"
    LAST = "last", "only the last"


class DidEvent(CountsTimes, Condition):
    """Something happened to them so many times: any event, such as a login or a survey answered.

    What is known of the event can be asked for too: a survey answered with a score of at most 3. “Only the first ever”
    looks at the very first such event of the customer and nothing else, “only the last” at the very last.
    """

    icon = "bolt"
    shelf = "What they did"
    words = "logged in app survey website"
    labels: ClassVar[dict[str, str]] = {"operator": "How often", "where": "Where"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"event_type": "mobile_login", "count": 2, "window_days": 30},
        {"event_type": "mobile_login", "operator": "at_most", "count": 1, "since": date(2026, 9, 1)},
        {
            "event_type": "survey_answered",
            "operator": "exactly",
            "count": 2,
            "since": date(2026, 9, 1),
            "until": date(2026, 11, 20),
        },
        {"event_type": "mobile_login", "operator": "none", "window_days": 14},
        {"event_type": "mobile_login", "since_own": "loyalty_joined_at"},
        {"event_type": "mobile_purchase", "occurrence": "first", "window_days": 7},
        {
            "event_type": "survey_answered",
            "occurrence": "last",
            "where": [{"property": "score", "operator": "at_most", "value": 3}],
        },
        {
            "event_type": "survey_answered",
            "where": [
                {"property": "survey", "operator": "is", "value": "after purchase"},
                {"property": "score", "operator": "between", "value": [1, 3]},
            ],
        },
        {
            "event_type": "cart_updated",
            "where": [
                {"property": "checked_out", "operator": "is", "value": False},
                {"property": "lines", "operator": "is_set"},
            ],
        },
    ]
    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {
        "operator": ("occurrence", {Occurrence.ANY}),
        "count": ("operator", COUNTED),
    }

    event_type = models.ForeignKey(EventType, on_delete=models.PROTECT, related_name="+", verbose_name="event")
    occurrence = models.CharField("which one", max_length=5, choices=Occurrence.choices, default=Occurrence.ANY)
    where = Questions(verbose_name="with")

    class Meta:
        verbose_name = "event"

    def clean(self) -> None:
        """Refuse events that segments write themselves, and questions that the event cannot answer."""
        super().clean()
        if self.event_type_id is None:
            return
        must_not_be_of_segments(self.event_type)
        try:
            self.where = questions.checked(self.where, self.event_type.properties, self.event_type.label)
        except ValidationError as error:
            raise ValidationError({"where": error.messages}) from error

    def q(self, now: datetime) -> Q:
        if self.occurrence == Occurrence.ANY:
            return self.counted(self._happened(now), "occurred_at", now)
        one = self._happened(now).filter(self.inside("occurred_at", now))
        is_it = Event.objects.up_to(now).one_of_kind(self.occurrence == Occurrence.LAST)
        return Q(Exists(one.filter(pk=Subquery(is_it.values("pk")[:1]))))

    def flips(self, now: datetime) -> Combinable | None:
        """When the event that decides falls out of the time; what is asked from today on may change at midnight."""
        if self.occurrence == Occurrence.ANY:
            out = self.uncounted(self._happened(now), "occurred_at", now)
        else:
            at = self._all(now).order_by(*Event.order(self.occurrence == Occurrence.LAST)).values("occurred_at")[:1]
            falls_out = self.falls_out(Subquery(at), now)
            out = None if falls_out is None else if_ahead(falls_out, now)
        return earliest([out, self._tomorrow(now) if questions.moves(self.where) else None])

    def phrase(self) -> str:
        event, where = f"“{strong(self.event_type.label)}”", questions.said(self.where)
        if self.occurrence == Occurrence.FIRST:
            return f"had {event} for the {strong('first')} time ever{self.when()}{where and ', ' + where.strip()}"
        if self.occurrence == Occurrence.LAST:
            return f"had {event} for the {strong('last')} time{self.when()}{where and ', ' + where.strip()}"
        if self.operator == HowOften.NONE:
            when = self.when()
            return f"{'had ' + strong('no') if when else strong('never') + ' had'} {event}{where}{when}"
        return f"had {event} {self.times()}{where}{self.when()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        rows = Event.objects.filter(customer=customer, name=self.event_type.name)
        if self.occurrence == Occurrence.ANY:
            inside = rows.filter(self.inside("occurred_at", now, customer), questions.asked(self.where, now))
            return tally(inside, "occurred_at", now)
        one = rows.filter(occurred_at__lte=now).order_by(*Event.order(self.occurrence == Occurrence.LAST)).first()
        if one is None:
            return "never"
        known = ", ".join(f"{each['property']}: {one.properties.get(each['property'])}" for each in self.where)
        return f"the {self.occurrence} on {one.occurred_at.astimezone(now.tzinfo):%Y-%m-%d}{known and '; ' + known}"

    def _all(self, now: datetime) -> EventQuerySet:
        """The customer's events of the type, up to `now`."""
        return Event.objects.filter(customer=OuterRef("pk"), name=self.event_type.name, occurred_at__lte=now)

    def _happened(self, now: datetime) -> EventQuerySet:
        """Those of them that are as asked."""
        return self._all(now).filter(questions.asked(self.where, now))

    def _tomorrow(self, now: datetime) -> Combinable:
        """The next midnight, for customers with any such event."""
        next_day = Value(midnight(now.date(), now.tzinfo, 1), output_field=models.DateTimeField())
        return Case(When(Exists(self._all(now)), then=next_day))


def must_not_be_of_segments(event_type: EventType) -> None:
    """Raise ValidationError for an event that segments write: they would have to wait for each other."""
    if event_type.name in WRITTEN_BY_SEGMENTS:
        reason = f"“{event_type.label}” is written by segments themselves. Use the condition “in segment” instead: "
        raise ValidationError({"event_type": f"{reason}it asks who is in one, entered it or left it in the past days."})
