from datetime import datetime
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import ExpressionWrapper, F, OuterRef, Q, Subquery, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Least

from loyaltyflow.sql import LocalDayStart
from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags import figures
from loyaltyflow.words import number, strong
from segments.comparisons.dates import LONGEST, midnight
from segments.comparisons.number import ComparesKnownNumber
from segments.conditions import Condition

from ..points import Draw, Lot, LotQuerySet
from ..progress import INSTANT

WHOLE = models.BigIntegerField()


class PointsExpiring(ComparesKnownNumber, Condition):
    """Has so many points that expire soon: the last day to spend them is today or one of the next days.

    Points that are spent or taken back before then do not count; those that cannot be spent yet do.
    """

    icon = "hourglass_bottom"
    shelf = "Points"
    words = "expiry lapse lose"
    labels: ClassVar[dict[str, str]] = {"operator": "Points that expire", "days": "In the next"}
    units: ClassVar[dict[str, str]] = {"value": "points", "upper": "points", "days": "days"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"value": 50, "days": 30},
        {"operator": "at_most", "value": 10, "days": 7},
        {"operator": "more_than", "value": 0, "days": 0},
        {"operator": "less_than", "value": 100, "days": 90},
        {"operator": "is", "value": 50, "days": 7},
        {"operator": "is_not", "value": 0, "days": 30},
        {"operator": "between", "value": 10, "upper": 100, "days": 30},
    ]

    days = models.PositiveIntegerField(
        default=30,
        validators=[MaxValueValidator(LONGEST)],
        help_text="0: today is the last day to spend them.",
    )

    class Meta:
        verbose_name = "points that expire"

    def q(self, now: datetime) -> Q:
        summed = self._lots(now).order_by().values("customer").values(sum=Sum("left"))
        return self.compares(Coalesce(Cast(Subquery(summed), WHOLE), Value(0), output_field=WHOLE))

    def flips(self, now: datetime) -> Combinable | None:
        """When points expire, or when the first day comes from which on others do soon enough."""
        lots = Lot.objects.filter(customer=OuterRef("pk"), expires_at__gt=now).order_by("expires_at")
        later = lots.filter(expires_at__gt=self._end(now)).annotate(last_moment=_last_moment())
        zone = now.tzinfo.key  # type: ignore[union-attr]
        begins = LocalDayStart(Subquery(later.values("last_moment")[:1]), zone, -self.days)
        return Least(Subquery(lots.values("expires_at")[:1]), begins)

    def phrase(self) -> str:
        soon = f"in the next {strong(number(self.days, 'day'))}" if self.days else strong("today")
        return f"have {self.said(figures.points)} that expire {soon}"

    def seen(self, customer: Customer, now: datetime) -> str:
        sums = self._lots(now, customer.pk).aggregate(sum=Sum("left"), first=models.Min("expires_at"))
        if not sums["sum"]:
            return "no points expire so soon"
        first = (sums["first"] - INSTANT).astimezone(now.tzinfo)
        return f"{figures.points(int(sums['sum']))}, the first of them after {figures.day(first)}"

    def _end(self, now: datetime) -> datetime:
        """The last moment that counts: the midnight after the last of the days."""
        return midnight(now.date(), now.tzinfo, self.days + 1)

    def _lots(self, now: datetime, customer: Any = None) -> LotQuerySet:
        """The customer's lots that expire in the time, with what was `left` of them at `now`."""
        draws = Draw.objects.filter(lot=OuterRef("pk"), at__lte=now).order_by().values("lot")
        drawn = Coalesce(Cast(Subquery(draws.values(sum=Sum("points"))), WHOLE), Value(0), output_field=WHOLE)
        of_theirs = Lot.objects.filter(customer=customer or OuterRef("pk"), entry__occurred_at__lte=now)
        lots = of_theirs.filter(expires_at__gt=now, expires_at__lte=self._end(now))
        return lots.annotate(left=F("points") - drawn)


def _last_moment() -> Combinable:
    """The last moment at which a lot's points can be spent: the day that it lies on is the one that counts."""
    return ExpressionWrapper(F("expires_at") - INSTANT, models.DateTimeField())
