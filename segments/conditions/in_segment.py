from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.expressions import Combinable

from loyaltyflow.sql import LocalDayStart
from loyaltyflow.store.models import Customer
from loyaltyflow.words import number, strong

from ..comparisons.dates import LONGEST, midnight
from ..comparisons.times import if_ahead
from ..cycles import must_not_ask_for_itself, owner_of
from ..memberships import Membership
from .base import Condition


class Place(models.TextChoices):
    IS_IN = "is_in", "is in it"
    IS_NOT_IN = "is_not_in", "is not in it"
    FOR_DAYS = "in_for_days", "has been in it for at least so many days"
    ENTERED = "entered_past_days", "entered it in the past days"
    LEFT = "left_past_days", "left it in the past days"


WITH_DAYS = {str(each) for each in list(Place)[2:]}


class InSegment(Condition):
    """Is in another segment, is not, has been in it for some days, or entered or left it lately.

    “In it for at least 7 days” holds from the seventh midnight after the day of entering, whatever the hour of
    entering was. Who entered in the past days may have left again.
    """

    icon = "groups"
    shelf = "Segments"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"other": "Regulars"},
        {"other": "Regulars", "operator": "is_not_in"},
        {"other": "Regulars", "operator": "in_for_days", "days": 7},
        {"other": "Regulars", "operator": "entered_past_days", "days": 3},
        {"other": "Regulars", "operator": "left_past_days", "days": 30},
    ]
    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {"days": ("operator", WITH_DAYS)}
    units: ClassVar[dict[str, str]] = {"days": "days"}

    other = models.ForeignKey(
        "segments.Segment",
        on_delete=models.PROTECT,
        related_name="asked_by",
        verbose_name="segment",
        limit_choices_to={"archived_at": None},
    )
    operator = models.CharField(
        "the customer", max_length=17, choices=Place.choices, default=Place.IS_IN, db_default=Place.IS_IN
    )
    days = models.PositiveIntegerField(null=True, blank=True, validators=[MaxValueValidator(LONGEST)])

    class Meta:
        verbose_name = verbose_name_plural = "in segment"

    def clean(self) -> None:
        """Refuse a segment whose members depend, directly or through others, on this segment itself."""
        super().clean()
        if self.operator in WITH_DAYS and self.days is None:
            raise ValidationError({"days": "Write a number of days, such as 7. None was given."})
        if self.other_id is None:
            return
        own = owner_of(self if self.parent is None else self.parent.tree or self.parent)
        if own is not None:
            try:
                must_not_ask_for_itself(own, [self.other_id])
            except ValidationError as error:
                raise ValidationError({"other": error.messages}) from error

    def q(self, now: datetime) -> Q:
        held = Q(Exists(self._stays(now)))
        return ~held if self.operator == Place.IS_NOT_IN else held

    def flips(self, now: datetime) -> Combinable | None:
        """At a midnight that is asked for; a change of the other segment is followed up in the same refresh."""
        if self.operator not in WITH_DAYS:
            return None
        zone, days = now.tzinfo.key, self.days or 0  # type: ignore[union-attr]
        if self.operator == Place.FOR_DAYS:
            here = self._memberships().at(now).order_by("joined_at").values("joined_at")[:1]
            return if_ahead(LocalDayStart(Subquery(here), zone, days), now)
        column = "joined_at" if self.operator == Place.ENTERED else "left_at"
        last = self._stays(now).order_by(f"-{column}").values(column)[:1]
        return LocalDayStart(Subquery(last), zone, days + 1)

    def segments(self) -> Iterable[int]:
        return (self.other_id,)

    def phrase(self) -> str:
        segment = f"the segment “{strong(self.other)}”"
        many = strong(number(self.days or 0, "day"))
        past = f"in the past {many}" if self.days else strong("today")
        phrases = {
            Place.IS_IN: f"are in {segment}",
            Place.IS_NOT_IN: f"are {strong('not')} in {segment}",
            Place.FOR_DAYS: f"have been in {segment} for at least {many}",
            Place.ENTERED: f"entered {segment} {past}",
            Place.LEFT: f"left {segment} {past}",
        }
        return phrases[Place(self.operator)]

    def seen(self, customer: Customer, now: datetime) -> str:
        stays = Membership.objects.filter(segment=self.other_id, customer=customer, joined_at__lte=now)
        last = stays.order_by("-joined_at", "-pk").first()
        if last is None:
            return "never in"
        since = f"{last.joined_at.astimezone(now.tzinfo):%Y-%m-%d}"
        if last.left_at is None or last.left_at > now:
            return f"in since {since}"
        return f"in from {since} to {last.left_at.astimezone(now.tzinfo):%Y-%m-%d}"

    def _memberships(self) -> Any:
        return Membership.objects.filter(segment=self.other_id, customer=OuterRef("pk"))

    def _stays(self, now: datetime) -> Any:
        """The customer's stays that make the answer yes (no, for “is not in it”)."""
        days, today, zone = self.days or 0, now.date(), now.tzinfo
        match self.operator:
            case Place.FOR_DAYS:
                return self._memberships().at(now).filter(joined_at__lt=midnight(today, zone, 1 - days))
            case Place.ENTERED:
                return self._memberships().filter(joined_at__gte=midnight(today, zone, -days), joined_at__lte=now)
            case Place.LEFT:
                return self._memberships().filter(left_at__gte=midnight(today, zone, -days), left_at__lte=now)
        return self._memberships().at(now)
