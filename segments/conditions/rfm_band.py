from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, Subquery, Sum, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual

from loyaltyflow.sql import LocalDayStart, Once
from loyaltyflow.store.models import Customer, Order
from loyaltyflow.store.templatetags.figures import day, money
from loyaltyflow.words import number, strong

from ..comparisons.dates import midnight
from .base import Condition
from .groups import earliest

YEAR = 365
EDGES = (30, 60, 120, 240)  # days since the last purchase at which a band ends
COUNTS = (2, 3, 5)  # purchases in the year from which a band begins
AMOUNT = models.DecimalField(max_digits=16, decimal_places=2)


class RfmBand(Condition):
    """Stands in a band by how lately, how often and for how much they bought in the past 365 days.

    Champions: last bought in the past 30 days, 5 purchases or more, and at least the amount that is asked for.
    Loyal: in the past 60 days, 3 purchases or more, and no champion. New: in the past 30 days, 1 purchase.
    Promising: in the past 60 days, 1 or 2 purchases, and not new. Needs attention: 61 to 120 days ago, 1 or 2
    purchases. At risk: 61 to 240 days ago, 3 purchases or more. Lost: longer ago than that, however often. Who never
    bought stands in no band; everybody else stands in one.
    """

    icon = "social_leaderboard"
    shelf = "Purchases"
    labels: ClassVar[dict[str, str]] = {"spend": "Champions spent at least"}
    units: ClassVar[dict[str, str]] = {"spend": "money"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"band": "champions", "spend": 50},
        {"band": "loyal"},
        {"band": "new"},
        {"band": "promising"},
        {"band": "needs_attention"},
        {"band": "at_risk"},
        {"band": "lost"},
    ]

    class Band(models.TextChoices):
        CHAMPIONS = "champions", "champions"
        LOYAL = "loyal", "loyal"
        NEW = "new", "new"
        PROMISING = "promising", "promising"
        NEEDS_ATTENTION = "needs_attention", "needs attention"
        AT_RISK = "at_risk", "at risk"
        LOST = "lost", "lost"

    band = models.CharField(max_length=16, choices=Band.choices, default=Band.CHAMPIONS)
    spend = models.DecimalField(
        "champions spent at least",
        max_digits=12,
        decimal_places=2,
        default=Decimal(500),
        validators=[MinValueValidator(Decimal(0))],
        help_text="In the past 365 days, in the store's currency.",
    )

    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {"spend": ("band", {Band.CHAMPIONS, Band.LOYAL})}

    class Meta:
        verbose_name = "RFM band"

    def q(self, now: datetime) -> Q:
        """All at once, or each by looking up whether so many purchases lie in the past days."""
        if self.is_asked_of_everybody():
            return Q(pk__in=self._by_customer(now).filter(self._band(*self._of_groups(now))).values("customer"))
        lately = {days: self._within(days, now) for days in EDGES}
        often = {count: self._within(YEAR, now, count) for count in COUNTS}
        return Q(Exists(self._purchases(now))) & self._band(lately, often, self._spent(now))

    def _band(self, lately: dict[int, Q], often: dict[int, Q], spent: Q) -> Q:
        """Of those who ever bought, who stands in the band, by days since then, number in the year, and spending."""
        champions = lately[30] & often[5] & spent
        new = lately[30] & ~often[2]
        fading = lately[120] & ~lately[60] & ~often[3]
        at_risk = lately[240] & ~lately[60] & often[3]
        return {
            self.Band.CHAMPIONS: champions,
            self.Band.LOYAL: lately[60] & often[3] & ~champions,
            self.Band.NEW: new,
            self.Band.PROMISING: lately[60] & ~often[3] & ~new,
            self.Band.NEEDS_ATTENTION: fading,
            self.Band.AT_RISK: at_risk,
            self.Band.LOST: ~lately[60] & ~fading & ~at_risk,
        }[self.Band(self.band)]

    def flips(self, now: datetime) -> Combinable | None:
        """When the last purchase comes to the edge of a band, or the oldest falls out of the year."""
        zone = now.tzinfo.key  # type: ignore[union-attr]
        since = midnight(now.date(), now.tzinfo, -YEAR)
        in_the_year = (
            self._purchases(now).filter(completed_at__gte=since).order_by("completed_at").values("completed_at")
        )
        next_edge = Once(
            Subquery(in_the_year.reverse()[:1]), lambda last: _next_edge(last, now), models.DateTimeField()
        )
        return earliest([next_edge, LocalDayStart(Subquery(in_the_year[:1]), zone, YEAR + 1)])

    def phrase(self) -> str:
        band = f"belong to the band {strong(self.get_band_display())}"
        if self.band == self.Band.CHAMPIONS:
            return f"{band}, having spent at least {strong(money(self.spend))}"
        return band

    def seen(self, customer: Customer, now: datetime) -> str:
        bought = Order.objects.purchases(now).filter(customer=customer)
        last = bought.aggregate(last=models.Max("completed_at"))["last"]
        if last is None:
            return "no purchases"
        year = bought.filter(completed_at__gte=midnight(now.date(), now.tzinfo, -YEAR))
        facts = year.aggregate(many=models.Count("pk"), spent=Sum(Order.kept_by(now)))
        spent = money(facts["spent"] or 0)
        return f"last bought on {day(last)}; {number(facts['many'], 'purchase')} and {spent} in the past {YEAR} days"

    def _purchases(self, now: datetime) -> models.QuerySet[Order]:
        return Order.objects.purchases(now).filter(customer=OuterRef("pk"))

    def _within(self, days: int, now: datetime, count: int = 1) -> Q:
        """Whether so many purchases or more lie in the past days."""
        bought = self._purchases(now).filter(completed_at__gte=midnight(now.date(), now.tzinfo, -days))
        return Q(Exists(bought if count == 1 else bought.order_by("-completed_at")[count - 1 : count]))

    def _by_customer(self, now: datetime) -> models.QuerySet[Order, Any]:
        """Each who ever bought, with the last purchase, and the number and worth of those in the year."""
        year = Q(completed_at__gte=midnight(now.date(), now.tzinfo, -YEAR))
        worth = Sum(Order.kept_by(now), filter=year, output_field=AMOUNT)
        groups = Order.objects.purchases(now).order_by().values("customer")
        return groups.annotate(
            last=models.Max("completed_at"),
            many=models.Count("pk", filter=year),
            spent=Coalesce(worth, Decimal(0), output_field=AMOUNT),
        )

    def _of_groups(self, now: datetime) -> tuple[dict[int, Q], dict[int, Q], Q]:
        lately = {days: Q(last__gte=midnight(now.date(), now.tzinfo, -days)) for days in EDGES}
        return lately, {count: Q(many__gte=count) for count in COUNTS}, Q(spent__gte=self.spend)

    def _spent(self, now: datetime) -> Q:
        year = self._purchases(now).filter(completed_at__gte=midnight(now.date(), now.tzinfo, -YEAR))
        sums = year.order_by().values("customer").values(sum=Sum(Order.kept_by(now)))
        amount = Coalesce(Subquery(sums), Decimal(0), output_field=AMOUNT)
        return Q(GreaterThanOrEqual(amount, models.Value(self.spend.normalize(), output_field=AMOUNT)))


def _next_edge(last: Combinable, now: datetime) -> Combinable:
    """When the last purchase comes to the next edge of a band; NULL once it is beyond all of them."""
    zone = now.tzinfo.key  # type: ignore[union-attr]
    lies_within = [Q(GreaterThanOrEqual(last, midnight(now.date(), now.tzinfo, -days))) for days in EDGES]
    whens = [
        When(within, then=LocalDayStart(last, zone, days + 1)) for within, days in zip(lies_within, EDGES, strict=True)
    ]
    return Case(*whens, output_field=models.DateTimeField())
