from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import BigIntegerField, F, Func, Q, Sum, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat

from loyaltyflow.store.clock import store
from loyaltyflow.store.templatetags import figures
from rewards import ledger
from rewards.budgets import Wish, draw_each, drawn_from, period_start
from rewards.models import Budget, Entry, Programme
from segments.comparisons.dates import midnight

from .base import Batch, Node


class AwardPoints(Node):
    """Gives the customer points."""

    icon = "stars"
    needs_message_after = True

    points = models.PositiveIntegerField(
        validators=[MinValueValidator(1)], help_text="A whole number above 0; the programme says how many at most."
    )
    explanation = models.CharField(
        max_length=200, default="A thank-you from us", help_text="Why, as the customer reads it."
    )
    budget = models.ForeignKey(
        Budget,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        limit_choices_to={"unit": Budget.Unit.POINTS},
        help_text="The points are taken from it. Whoever comes when it is used up goes on without any.",
    )
    most_per_customer = models.PositiveIntegerField(
        "at most for one customer",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Of this workflow. Who has had too many points goes on without any. Empty: no limit.",
    )
    period = models.CharField(
        "in",
        max_length=10,
        choices=Budget.Period.choices,
        default=Budget.Period.EVER,
        db_default=Budget.Period.EVER,
        help_text="The time to which that limit applies.",
    )

    class Meta:
        verbose_name = "grant points boost"
        verbose_name_plural = "grant points boosts"

    def clean(self) -> None:
        """Refuse more points than the programme lets a workflow give, and a limit below a single gift."""
        super().clean()
        largest = Programme.load().largest_gift
        if self.points and self.points > largest:
            worth = figures.money(largest * store().point_value)
            raise ValidationError(
                {"points": f"At most {figures.points(largest)} ({worth}) can be given at once, as the programme says."}
            )
        if self.points and self.most_per_customer and self.most_per_customer < self.points:
            said = f"That is less than the {figures.points(self.points)} of one gift, so nobody would get any."
            raise ValidationError({"most_per_customer": said})

    def summary(self) -> str:
        worth = figures.money(self.points * store().point_value)
        return f"Give {self.points:,} {'points' if self.points != 1 else 'point'} ({worth})"

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        """Give the points once to each; whom a limit keeps from them goes on all the same, with the reason."""
        rows: models.QuerySet[Any, Any] = batch.enrolments
        points: Combinable = Value(self.points)
        if self.budget or self.most_per_customer:
            gifts = self._allowed(batch)
            rows, points = rows.filter(pk__any=list(gifts)), _looked_up(gifts)
        ledger.award(
            rows,
            kind=Entry.Kind.BOOST,
            points=points,
            key=Concat(Value(f"node:{self.pk}:"), Cast("pk", TextField()), output_field=TextField()),
            customer="customer_id",
            explanation=Value(self.explanation),
            now=batch.now,
            rule=drawn_from(self.budget, batch.now) if self.budget else {},
        )
        yield "next", batch.ids

    def _allowed(self, batch: Batch) -> dict[int, int]:
        """Enrolment → how many points it is given; those left out had them already, or get none for a reason."""
        ledger.lock(batch.customers.values())
        had = set(Entry.objects.filter(key__any=[self._key(pk) for pk in batch.ids]).values_list("key", flat=True))
        gifts = {pk: self.points for pk in batch.ids if self._key(pk) not in had}
        if self.most_per_customer:
            gifts = self._within_own_limit(gifts, batch)
        return self._within(self.budget, gifts, batch) if self.budget else gifts

    def _within_own_limit(self, gifts: dict[int, int], batch: Batch) -> dict[int, int]:
        """Those of the gifts with which their customers have no more than this workflow may give them."""
        most, before = self.most_per_customer or 0, self._given_before(batch)
        for pk in list(gifts):
            got = before.get(batch.customers[pk], 0)
            if got + gifts[pk] > most:
                del gifts[pk]
                limit = f"{figures.points(most)}{self._in_period()}"
                batch.reasons[pk] = f"No points: had {figures.points(got)} of at most {limit} from this workflow."
        return gifts

    def _within(self, budget: Budget, gifts: dict[int, int], batch: Batch) -> dict[int, int]:
        """As much of the gifts as the budget has left."""
        wishes = [Wish(budget, batch.customers[pk], Decimal(points)) for pk, points in gifts.items()]
        given = dict(zip(gifts, map(int, draw_each(wishes, batch.now)), strict=True))
        for pk, points in given.items():
            if points < gifts[pk]:
                got = figures.points(points) if points else "No points"
                batch.reasons[pk] = f"{got}: the budget “{budget}” has no more for this customer now."
        return {pk: points for pk, points in given.items() if points}

    def _given_before(self, batch: Batch) -> dict[int, int]:
        """Customer → the points that this workflow's steps have given them in the period."""
        steps = AwardPoints.objects.filter(revision__workflow=self.revision.workflow_id).values_list("pk", flat=True)
        step = Func(F("key"), Value(":"), Value(2), function="split_part", output_field=TextField())
        gifts = Entry.objects.filter(customer__any=list(batch.customers.values()), kind=Entry.Kind.BOOST)
        gifts = gifts.filter(self._in_time(batch.now)).annotate(step=step).filter(step__in=[str(pk) for pk in steps])
        return dict(gifts.order_by().values_list("customer").annotate(sum=Sum("points")))

    def _in_time(self, now: datetime) -> Q:
        if self.period == Budget.Period.EVER:
            return Q()
        local = store().local(now)
        return Q(occurred_at__gte=midnight(period_start(self.period, local.date()), local.tzinfo))

    def _in_period(self) -> str:
        ever = self.period == Budget.Period.EVER
        return "" if ever else f" {self.get_period_display().lower()}"

    def _key(self, enrolment: int) -> str:
        """What the gift to the enrolment is called in the ledger, so that it is made once."""
        return f"node:{self.pk}:{enrolment}"


def _looked_up(gifts: dict[int, int]) -> Cast:
    """An expression over enrolments: how many points each is given."""
    known = Value({str(pk): points for pk, points in gifts.items()}, output_field=models.JSONField())
    found = Func(known, Cast("pk", TextField()), function="jsonb_extract_path_text", output_field=TextField())
    return Cast(found, BigIntegerField())
