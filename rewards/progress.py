"""How far customers have come towards a tier: the points or the money that count, in the programme's window."""

from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import F, Func, OuterRef, Q, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, TruncYear

from loyaltyflow.store.models import Customer, Order, StoreSettings
from loyaltyflow.store.templatetags import figures

from .points import Entry
from .programme import Programme
from .tiers import Standing, Tier

AMOUNT = models.DecimalField(max_digits=14, decimal_places=2)
GIFTS = (Entry.Kind.BOOST, Entry.Kind.WELCOME, Entry.Kind.MANUAL_ADD)
INSTANT = timedelta(microseconds=1)
Rows = models.QuerySet[Any, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a customer stands: the tier, what counts now, the next tier and how much of it is missing."""

    tier: Tier | None
    until: datetime | None
    counted: Decimal
    next: Tier | None
    written: Callable[[Decimal], str]
    page: str = ""  # for members of the tier: that of the highest which has one, up to the customer's own

    @property
    def missing(self) -> Decimal:
        """What is missing to the next tier; 0 if there is none."""
        return max(self.next.threshold - self.counted, Decimal(0)) if self.next else Decimal(0)

    @property
    def share(self) -> float:
        """How much of the next tier's threshold is reached, from 0 to 1; 1 if there is none."""
        return min(max(float(self.counted / self.next.threshold), 0), 1) if self.next and self.next.threshold else 1

    def __str__(self) -> str:
        return f"{self.written(self.missing)} to {self.next}" if self.next else ""


def progress(customers: Sequence[int], now: datetime) -> dict[int, Progress]:
    """Customer id → where they stand at `now`, by five statements however many customers there are."""
    programme, now = Programme.load(), StoreSettings.load().local(now)
    tiers = list(Tier.objects.order_by("threshold"))
    counted = Customer.objects.filter(pk__any=customers).values_list("pk", sum_in_window(programme, now))
    standings = {each.customer_id: each for each in Standing.objects.at(now).filter(customer__any=customers)}
    by_number, write = {each.pk: each for each in tiers}, UNITS[programme.tier_basis]
    found = {}
    for pk, amount in counted:
        standing = standings.get(pk)
        tier = by_number[standing.tier_id] if standing else None
        above = [each for each in tiers if tier is None or each.threshold > tier.threshold]
        until = standing.expires_at if standing else None
        pages = [each.content_url for each in tiers if tier and each.threshold <= tier.threshold and each.content_url]
        found[pk] = Progress(tier, until, amount, above[0] if above else None, write, pages[-1] if pages else "")
    return found


def sum_in_window(programme: Programme, now: datetime, since: Any = None) -> Combinable:
    """An expression over customers: what counts towards a tier at `now`."""
    rows = counting(programme, now, since or window_start(programme, now), OuterRef("pk"))
    summed = rows.order_by().annotate(sum=Func(F("worth"), function="SUM", output_field=AMOUNT)).values("sum")
    counted = Subquery(summed, output_field=AMOUNT)
    return Coalesce(counted, Value(0), output_field=AMOUNT)


def counting(programme: Programme, now: datetime, since: Any, customer: Any) -> Rows:
    """What counts towards the customer's tier: rows with `at`, their `worth` and the order that brought it."""
    return BASES[programme.tier_basis](programme, now, since, customer)


def _points(programme: Programme, now: datetime, since: Any, customer: Any) -> Rows:
    """Points earned, less those taken back of what was earned in the same time; spending takes nothing off.

    What those earned counts too who turned out to be the customer: the ledger still names them apart.
    """
    kinds = [Entry.Kind.EARN, *(GIFTS if programme.tier_counts_gifts else ())]
    of_what_counts = Q(reverses__kind__in=kinds, reverses__occurred_at__gte=since)
    taken_back = Q(kind=Entry.Kind.REFUND_REVERSAL) & (Q(reverses=None) | of_what_counts)
    who = OuterRef(customer) if isinstance(customer, OuterRef) else customer
    they = Customer.everyone.filter(Q(pk=who) | Q(merged_into=who)).values("pk")
    entries = Entry.objects.filter(customer__in=they, occurred_at__gte=since, occurred_at__lte=now)
    entries = entries.filter(Q(kind__in=kinds) | taken_back)
    return entries.annotate(at=F("occurred_at"), worth=Cast("points", AMOUNT))


def _money(programme: Programme, now: datetime, since: Any, customer: Any) -> Rows:
    """What was paid for purchases and not paid back."""
    orders = Order.objects.purchases(now).filter(customer=customer, completed_at__gte=since)
    return orders.annotate(at=F("completed_at"), worth=Order.kept_by(now), order=F("pk"))


BASES = {Programme.TierBasis.POINTS.value: _points, Programme.TierBasis.SPEND.value: _money}
UNITS: dict[str, Callable[[Decimal], str]] = {
    Programme.TierBasis.POINTS.value: lambda amount: figures.points(int(amount)),
    Programme.TierBasis.SPEND.value: figures.money,
}


def window_start(programme: Programme, now: datetime) -> datetime:
    """The local midnight from which on points or money count at `now`, which is on the store's clock."""
    today = now.date()
    if programme.tier_window == Programme.TierWindow.YEAR:
        return _midnight(today.replace(month=1, day=1), now)
    return _midnight(_months_on(today, -programme.tier_months), now)


def window_at_end(programme: Programme, now: datetime) -> Any:
    """The same for each customer: when a tier has ended under the calendar year, the year that it ended with counts."""
    start = Value(window_start(programme, now), output_field=models.DateTimeField())
    if programme.tier_window != Programme.TierWindow.YEAR:
        return start
    ended = Standing.objects.open().filter(customer=OuterRef("pk"), expires_at__lte=now)
    year = TruncYear(F("expires_at") - INSTANT, tzinfo=now.tzinfo, output_field=models.DateTimeField())
    return Coalesce(Subquery(ended.values(year=year)[:1]), start)


def term_end(programme: Programme, now: datetime) -> datetime:
    """When a tier that is reached at `now` ends: months later, to the end of that month, or of the year, if so set.

    Under the calendar year a tier lasts to the end of a year, so that a whole year is judged when it ends.
    """
    day = _months_on(now.date(), programme.tier_validity_months)
    if programme.tier_window == Programme.TierWindow.YEAR:
        return _midnight(date(day.year + 1, 1, 1), now)
    if programme.tier_lasts_to_month_end:
        return _midnight(_months_on(day.replace(day=1), 1), now)
    return _midnight(day + timedelta(days=1), now)


def _months_on(day: date, months: int) -> date:
    """The same day so many months later, or the last day of a month that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _midnight(day: date, now: datetime) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=now.tzinfo)
