from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Exists, Max, OuterRef, Q, Subquery
from django.db.models.expressions import Combinable

from loyaltyflow.sql import LocalDayStart
from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import moment
from loyaltyflow.words import number, strong
from segments.comparisons.dates import LONGEST, midnight
from segments.conditions import Condition

from ..tiers import Standing, StandingQuerySet, Tier

CAME_DOWN = [Standing.Reason.LOWERED, Standing.Reason.RETURNED]


class InTier(Condition):
    """Which tier of the loyalty programme the customer is in, since when, and whether it was lowered.

    Who kept a tier for another term has been in it since they first came.
    """

    icon = "military_tech"
    shelf = "Tiers"
    words = "level status gold silver loyalty"
    labels: ClassVar[dict[str, str]] = {"operator": "The tier"}
    units: ClassVar[dict[str, str]] = {"days": "days"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"tier": "Gold"},
        {"tier": "Gold", "operator": "is_not"},
        {"tier": "Silver", "operator": "at_least"},
        {"tier": "Silver", "operator": "for_days", "days": 7},
        {"operator": "lowered", "days": 30},
    ]

    class Operator(models.TextChoices):
        IS = "is", "is"
        IS_NOT = "is_not", "is not"
        AT_LEAST = "at_least", "is that one or above"
        FOR_DAYS = "for_days", "has been for at least so many days"
        LOWERED = "lowered", "was lowered in the past days"

    operator = models.CharField(max_length=12, choices=Operator.choices, default=Operator.IS)
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    days = models.PositiveIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(LONGEST)], help_text="0: today."
    )

    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {
        "tier": ("operator", {Operator.IS, Operator.IS_NOT, Operator.AT_LEAST, Operator.FOR_DAYS}),
        "days": ("operator", {Operator.FOR_DAYS, Operator.LOWERED}),
    }

    class Meta:
        verbose_name = "tier"

    def clean(self) -> None:
        """Refuse a question without the tier or the number of days that it asks for."""
        super().clean()
        if self.asks("tier") and self.tier_id is None:
            raise ValidationError({"tier": "Choose a tier. None was chosen."})
        if self.asks("days") and self.days is None:
            raise ValidationError({"days": "Give a number of days, such as 30. None was given."})

    def q(self, now: datetime) -> Q:
        days = self.days or 0
        match self.operator:
            case self.Operator.IS_NOT:
                return ~Q(Exists(self._standing(now)))
            case self.Operator.LOWERED:
                return Q(Exists(self._lowered(now).filter(since__gte=midnight(now.date(), now.tzinfo, -days))))
            case self.Operator.FOR_DAYS:
                late = self._came(now).filter(since__gte=midnight(now.date(), now.tzinfo, 1 - days))
                return Q(Exists(self._standing(now))) & ~Q(Exists(late))
        return Q(Exists(self._standing(now)))

    def flips(self, now: datetime) -> Combinable | None:
        """At the midnight that decides about the day of coming into the tier, or down; a change itself is an event."""
        if not self.asks("days") or self.days is None:
            return None
        zone = now.tzinfo.key  # type: ignore[union-attr]
        if self.operator == self.Operator.LOWERED:
            lowered = self._lowered(now).filter(since__gte=midnight(now.date(), now.tzinfo, -self.days))
            return LocalDayStart(_last(lowered), zone, self.days + 1)
        late = self._came(now).filter(since__gte=midnight(now.date(), now.tzinfo, 1 - self.days))
        return LocalDayStart(_last(late), zone, self.days)

    def rests_on(self) -> list[str]:
        """Which tier is above which."""
        if self.operator != self.Operator.AT_LEAST:
            return []
        return [f"{pk}: {least}" for pk, least in Tier.objects.order_by("pk").values_list("pk", "threshold")]

    def phrase(self) -> str:
        many, tier = strong(number(self.days or 0, "day")), strong(self.tier)
        match self.operator:
            case self.Operator.IS_NOT:
                return f"are {strong('not')} in the tier {tier}"
            case self.Operator.AT_LEAST:
                return f"are in the tier {tier} {strong('or above')}"
            case self.Operator.FOR_DAYS:
                return f"have been in the tier {tier} for {strong('at least')} {many}"
            case self.Operator.LOWERED:
                return f"came down to a lower tier {f'in the past {many}' if self.days else strong('today')}"
        return f"are in the tier {tier}"

    def seen(self, customer: Customer, now: datetime) -> str:
        found = Standing.objects.at(now).filter(customer=customer).select_related("tier").first()
        if found is None:
            return "is in no tier"
        return f"{found.tier} since {moment(found.since)}: {found.get_reason_display().lower()}"

    def _standing(self, now: datetime) -> StandingQuerySet:
        """The customer's standing at that moment, if it is one that is asked for."""
        standing = Standing.objects.at(now).filter(customer=OuterRef("pk"))
        if self.operator == self.Operator.AT_LEAST:
            least = Tier.objects.filter(pk=self.tier_id).values("threshold")
            return standing.filter(tier__threshold__gte=Subquery(least))
        return standing.filter(tier=self.tier_id)

    def _came(self, now: datetime) -> StandingQuerySet:
        """When the customer came into the tier; keeping it for another term is no coming."""
        came = Standing.objects.filter(customer=OuterRef("pk"), tier=self.tier_id, since__lte=now)
        return came.exclude(reason=Standing.Reason.RENEWED)

    def _lowered(self, now: datetime) -> StandingQuerySet:
        return Standing.objects.filter(customer=OuterRef("pk"), reason__in=CAME_DOWN, since__lte=now)


def _last(standings: StandingQuerySet) -> Subquery:
    """The last moment at which one of them began."""
    return Subquery(standings.order_by().values("customer").values(last=Max("since")))
