from datetime import datetime
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Case, Exists, ExpressionWrapper, F, OuterRef, Q, Subquery, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest, Least
from django.db.models.lookups import LessThanOrEqual

from loyaltyflow.sql import LocalDayStart
from loyaltyflow.store.models import Customer
from loyaltyflow.words import strong
from segments.comparisons.dates import midnight
from segments.comparisons.number import plain
from segments.conditions import Condition

from ..programme import Programme
from ..progress import AMOUNT, counting, progress, sum_in_window, window_start
from ..tiers import Standing, Tier

MARGIN = 3  # days by which a month may be shorter than another
INSTANTS = models.DateTimeField()


class NearNextTier(Condition):
    """A member who needs no more than so much to reach the next tier, in points or money, as the programme counts.

    Who is in the highest tier needs nothing and is not near another; who is in none yet has the lowest before them.
    """

    icon = "trending_up"
    shelf = "Tiers"
    words = "progress level missing gold silver loyalty"
    labels: ClassVar[dict[str, str]] = {"value": "Needs at most"}
    units: ClassVar[dict[str, str]] = {"value": "points or money"}
    examples: ClassVar[list[dict[str, Any]]] = [{"value": 100}, {"value": 400}, {"value": 0}]

    value = models.DecimalField(
        "at most",
        max_digits=14,
        decimal_places=2,
        default=100,
        validators=[MinValueValidator(0)],
        help_text="In points, or in money where tiers are reached by money spent.",
    )

    class Meta:
        verbose_name = "close to the next tier"

    def q(self, now: datetime) -> Q:
        missing = ExpressionWrapper(_next_threshold(now) - sum_in_window(Programme.load(), now), AMOUNT)
        asked = Value(self.value.normalize(), output_field=AMOUNT)
        near = Coalesce(LessThanOrEqual(missing, asked), Value(False), output_field=models.BooleanField())
        return Customer.member_q(now) & Q(near)

    def flips(self, now: datetime) -> Combinable | None:
        """When the first of what counts falls out of the window, or a joining or leaving that is known ahead comes."""
        programme = Programme.load()
        rows = counting(programme, now, window_start(programme, now), OuterRef("pk")).order_by("at")
        out = Subquery(rows.annotate(out=_falls_out(programme, now)).values("out")[:1], output_field=INSTANTS)
        ahead = [Case(When(Q((f"{name}__gt", now)), then=F(name))) for name in ("loyalty_joined_at", "loyalty_left_at")]
        return Least(out, *ahead)

    def rests_on(self) -> list[str]:
        """The tiers, and what counts towards them for how long."""
        programme = Programme.load()
        window = [programme.tier_basis, programme.tier_counts_gifts, programme.tier_window, programme.tier_months]
        tiers = Tier.objects.order_by("pk").values_list("pk", "threshold")
        return [*(str(each) for each in window), *(f"{pk}: {least}" for pk, least in tiers)]

    def phrase(self) -> str:
        return f"are {strong(f'at most {plain(self.value)}')} away from the next tier"

    def seen(self, customer: Customer, now: datetime) -> str:
        if not Customer.objects.members(now).filter(pk=customer.pk).exists():
            return "is no member of the loyalty programme"
        found = progress([customer.pk], now)[customer.pk]
        return str(found) or f"is in the highest tier, {found.tier}"


def _next_threshold(now: datetime) -> Subquery:
    """What the next tier above the customer's is reached with; NULL if there is none."""
    as_high = Standing.objects.at(now).filter(
        customer=OuterRef(OuterRef("pk")), tier__threshold__gte=OuterRef("threshold")
    )
    above = Tier.objects.filter(~Exists(as_high)).order_by("threshold")
    return Subquery(above.values("threshold")[:1], output_field=AMOUNT)


def _falls_out(programme: Programme, now: datetime) -> Combinable:
    """When a row that counts may count no longer.

    Months differ in length, so from three days before the row's day comes round on, it is looked at each day.
    """
    if programme.tier_window == Programme.TierWindow.YEAR:
        return Value(midnight(now.date().replace(month=12, day=31), now.tzinfo, 1), output_field=INSTANTS)
    later = MonthsOn(F("at"), programme.tier_months)
    tomorrow = Value(midnight(now.date(), now.tzinfo, 1), output_field=INSTANTS)
    return Greatest(LocalDayStart(later, now.tzinfo.key, 1 - MARGIN), tomorrow)  # type: ignore[union-attr]


class MonthsOn(models.Func):
    """The instant so many months after another."""

    template = "(%(expressions)s + make_interval(months => %(months)s))"
    output_field = INSTANTS

    def __init__(self, instant: Any, months: int) -> None:
        super().__init__(instant, months=months)
