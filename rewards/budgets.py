from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import connection, models, transaction
from django.db.models import Q

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import count, money, points

from .bill import ZERO

EVER = date(1970, 1, 1)


class Budget(models.Model):
    """The most that may be given away by whatever draws on it: points, vouchers or money off."""

    class Unit(models.TextChoices):
        POINTS = "points", "Points"
        VOUCHERS = "vouchers", "Vouchers"
        MONEY = "money", "Money off"

    class Period(models.TextChoices):
        EVER = "ever", "Ever"
        DAY = "day", "A day"
        WEEK = "week", "A week"
        MONTH = "month", "A month"
        YEAR = "year", "A year"

    class Behaviour(models.TextChoices):
        HARD = "hard", "Refuse what does not fit any more"
        DYNAMIC = "dynamic", "Give what is left"

    # How amounts of each unit are written, and in which pieces they are given.
    WRITTEN: ClassVar[dict[str, Callable[[Decimal], str]]] = {
        Unit.POINTS: points,
        Unit.VOUCHERS: lambda amount: f"{count(amount)} {'voucher' if amount == 1 else 'vouchers'}",
        Unit.MONEY: money,
    }
    PIECES: ClassVar[dict[str, Decimal]] = {
        Unit.POINTS: Decimal(1),
        Unit.VOUCHERS: Decimal(1),
        Unit.MONEY: Decimal("0.01"),
    }

    name = models.CharField(max_length=100, unique=True)
    unit = models.CharField(max_length=10, choices=Unit.choices)
    amount = models.DecimalField(
        max_digits=14, decimal_places=2, validators=[MinValueValidator(0)], help_text="For all customers together."
    )
    per_customer = models.DecimalField(
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="The most of it for one customer. Empty: no limit of their own.",
    )
    period = models.CharField(
        max_length=10,
        choices=Period.choices,
        default=Period.EVER,
        help_text="It begins anew with each. Days and months are the store's, weeks begin on Monday.",
    )
    behaviour = models.CharField("at its end", max_length=10, choices=Behaviour.choices, default=Behaviour.HARD)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def summary(self) -> str:
        """How much may be given, as a sentence."""
        when = "" if self.period == self.Period.EVER else f" {self.get_period_display().lower()}"
        each = "" if self.per_customer is None else f", {self.written(self.per_customer)} for one customer"
        end = "what does not fit is refused" if self.behaviour == self.Behaviour.HARD else "the last gets what is left"
        return f"{self.written(self.amount)}{when}{each}; {end}."

    def written(self, amount: Decimal) -> str:
        """The amount as people read it, such as 1,000 pts."""
        return self.WRITTEN[self.unit](amount)

    def granted(self, wanted: Decimal, used: Decimal, used_by_customer: Decimal) -> Decimal:
        """How much of what is wanted fits, given what was used of it in this period."""
        left = self.left(used, used_by_customer)
        if wanted <= left:
            return wanted
        return ZERO if self.behaviour == self.Behaviour.HARD else left

    def left(self, used: Decimal, used_by_customer: Decimal) -> Decimal:
        """What of it can still be given, in whole pieces of its unit."""
        left = self.amount - used
        if self.per_customer is not None:
            left = min(left, self.per_customer - used_by_customer)
        return max(ZERO, left).quantize(self.PIECES[self.unit], ROUND_DOWN)


class Spending(models.Model):
    """How much of a budget was given in one period, to everybody (no customer) or to one of them."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="spendings", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    period_start = models.DateField(help_text="The first day of the period; 1970-01-01 if it is ever.")
    used = models.DecimalField(max_digits=14, decimal_places=2, default=0, db_default=0)
    allowed = models.DecimalField(
        max_digits=14,
        decimal_places=2,
        null=True,
        editable=False,
        help_text="Of everybody's: the most that the budget allowed when it was last drawn on.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "period_start", "customer"],
                name="one_spending_per_budget_period_and_customer",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(used__gte=0), name="no_budget_is_used_below_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.used} of {self.budget}"


def period_start(period: str, today: date) -> date:
    """The first day of the period that the day lies in; 1970-01-01 if it is ever."""
    starts = {
        Budget.Period.DAY: today,
        Budget.Period.WEEK: today - timedelta(days=today.weekday()),
        Budget.Period.MONTH: today.replace(day=1),
        Budget.Period.YEAR: today.replace(month=1, day=1),
    }
    return starts.get(Budget.Period(period), EVER)


def current_periods(budgets: Iterable[Budget], now: datetime) -> dict[Budget, date]:
    """Budget → the first day of the period of it that `now` lies in, on the store's calendar."""
    asked = list(budgets)
    today = store().local(now).date() if asked else EVER
    return {budget: period_start(budget.period, today) for budget in asked}


def drawn_from(budget: Budget, now: datetime) -> dict[str, Any]:
    """What a points entry keeps of the budget that it draws on at `now`."""
    return {"budget": budget.pk, "budget_period": current_periods([budget], now)[budget].isoformat()}


@dataclass(frozen=True, slots=True)
class Wish:
    """So much of a budget that is to be given."""

    budget: Budget
    customer: int | None
    amount: Decimal


# Who holds the row of everybody's use holds the budget for that period: those of single customers change only then.
HOLD = """
SELECT budget_id, period_start, used FROM rewards_spending
WHERE (budget_id, period_start) IN (SELECT * FROM unnest(%s::bigint[], %s::date[])) AND customer_id IS NULL
ORDER BY budget_id, period_start FOR UPDATE
"""
OPEN = """
INSERT INTO rewards_spending (budget_id, period_start, used)
SELECT budget, start, 0 FROM unnest(%s::bigint[], %s::date[]) AS known (budget, start) ORDER BY budget, start
ON CONFLICT DO NOTHING
"""
USE = """
INSERT INTO rewards_spending (budget_id, period_start, customer_id, used, allowed)
SELECT * FROM unnest(%s::bigint[], %s::date[], %s::bigint[], %s::numeric[], %s::numeric[])
ON CONFLICT (budget_id, period_start, customer_id)
DO UPDATE SET used = rewards_spending.used + excluded.used, allowed = excluded.allowed
"""
GIVE_BACK = """
UPDATE rewards_spending AS spending SET used = used - amount
FROM unnest(%s::bigint[], %s::date[], %s::bigint[], %s::numeric[]) AS given (budget, start, customer, amount)
WHERE budget_id = budget AND period_start = start
    AND (customer_id = customer OR customer_id IS NULL AND customer IS NULL)
"""
Place = tuple[int, date, int | None]  # a budget, a period of it, and a customer; None: everybody


def draw(budget: Budget, wanted: Decimal | int, customer: int | None, now: datetime) -> Decimal:
    """How much of what is wanted was given and counted: all of it, what was left, or 0 if that does not fit."""
    return draw_each([Wish(budget, customer, Decimal(wanted))], now)[0]


@transaction.atomic
def draw_each(wishes: Sequence[Wish], now: datetime) -> list[Decimal]:
    """For each wish how much was given, in their order; the statements do not depend on how many there are.

    Until the end of the transaction nobody else draws on the same budgets, so that they are exact.
    """
    if not wishes:
        return []
    periods = {budget.pk: start for budget, start in current_periods((wish.budget for wish in wishes), now).items()}
    used = _held(periods.items()) | _used_by({wish.customer for wish in wishes} - {None}, periods.items())
    given = []
    drawn: defaultdict[Place, Decimal] = defaultdict(Decimal)
    for wish in wishes:
        ours, theirs = _places(wish, periods[wish.budget.pk])
        own = used[theirs] + drawn[theirs] if wish.customer else ZERO
        amount = wish.budget.granted(wish.amount, used[ours] + drawn[ours], own)
        for place in {ours, theirs}:
            drawn[place] += amount
        given.append(amount)
    most = {wish.budget.pk: wish.budget.amount for wish in wishes}
    _write(USE, ((*place, amount, None if place[2] else most[place[0]]) for place, amount in _sorted(drawn)))
    return given


@transaction.atomic
def give_back(wishes: Iterable[tuple[Wish, date]]) -> None:
    """Count no longer what was given in the periods that began on those days, as was written down with each."""
    given = list(wishes)
    if not given:
        return
    drawn: defaultdict[Place, Decimal] = defaultdict(Decimal)
    for wish, start in given:
        for place in set(_places(wish, start)):
            drawn[place] += wish.amount
    _held({(budget, start) for budget, start, _customer in drawn})
    _write(GIVE_BACK, ((*place, amount) for place, amount in _sorted(drawn)))


def left(budgets: Iterable[Budget], customer: int | None, now: datetime) -> dict[int, Decimal]:
    """How much of each budget, by its id, the customer can have at `now`; one statement, and nothing is held."""
    asked = list(budgets)
    if not asked:
        return {}
    periods = current_periods(asked, now)
    used = _used_by({None, customer}, [(budget.pk, start) for budget, start in periods.items()])
    return {
        budget.pk: budget.left(used[budget.pk, start, None], used[budget.pk, start, customer] if customer else ZERO)
        for budget, start in periods.items()
    }


def used_now(budgets: Sequence[Budget], now: datetime) -> dict[int, Decimal]:
    """How much of each budget, by its id, everybody has had in the period that `now` lies in."""
    if not budgets:
        return {}
    periods = [(budget.pk, start) for budget, start in current_periods(budgets, now).items()]
    used = _used_by({None}, periods)
    return {pk: used[pk, start, None] for pk, start in periods}


def _places(wish: Wish, start: date) -> tuple[Place, Place]:
    """What everybody, and what the customer used of the budget in the period."""
    return (wish.budget.pk, start, None), (wish.budget.pk, start, wish.customer)


def _held(periods: Collection[tuple[int, date]]) -> defaultdict[Place, Decimal]:
    """What everybody has used; kept from others until the end of the transaction."""
    columns = [list(column) for column in zip(*sorted(periods), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(HOLD, columns)
        if cursor.rowcount < len(periods):
            cursor.execute(OPEN, columns)
            cursor.execute(HOLD, columns)
        return defaultdict(Decimal, {(pk, start, None): used for pk, start, used in cursor.fetchall()})


def _used_by(customers: Collection[int | None], periods: Iterable[tuple[int, date]]) -> defaultdict[Place, Decimal]:
    whose = Q(customer__any=[pk for pk in customers if pk])
    if None in customers:
        whose |= Q(customer=None)
    of_period = Q()
    for pk, start in periods:
        of_period |= Q(budget=pk, period_start=start)
    rows = Spending.objects.filter(whose, of_period).values_list("budget", "period_start", "customer", "used")
    return defaultdict(Decimal, {(pk, start, customer): used for pk, start, customer, used in rows})


def _sorted(drawn: Mapping[Place, Decimal]) -> list[tuple[Place, Decimal]]:
    """The amounts above 0, in the order in which their rows are locked."""
    return sorted(((place, amount) for place, amount in drawn.items() if amount), key=lambda each: _in_order(each[0]))


def _write(statement: str, found: Iterable[tuple[Any, ...]]) -> None:
    """Add the amounts to what was used, or take them off."""
    if rows := list(found):
        with connection.cursor() as cursor:
            cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _in_order(place: Place) -> tuple[int, date, int]:
    return place[0], place[1], place[2] or 0
