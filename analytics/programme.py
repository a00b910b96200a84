"""How the loyalty programme does: its tiers, its members, and what became of the points it gave."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Case, Count, F, Max, Q, Sum, When

from loyaltyflow.store.admin.bought import how_they_bought
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer, Order
from loyaltyflow.store.templatetags import figures as written
from rewards import totals
from rewards.models import Account, Entry, Standing, Tier
from rewards.points import GAINS

from .figures import midnight
from .links import page_of, rows_of
from .periods import Period

SHADES = 4
CAME_DOWN = (Standing.Reason.LOWERED, Standing.Reason.RETURNED)


@dataclass(frozen=True)
class Line:
    """One figure: what it is called, how it reads, and the rows behind it."""

    label: str
    text: str
    link: str
    note: str = ""


def read(period: Period, now: datetime) -> dict[str, Any]:
    """The programme's figures, by a fixed number of statements however many members there are."""
    return {"tiers": _tiers(period, now), "members": _members(now), "fate": _fate_of_points(now)}


def _tiers(period: Period, now: datetime) -> dict[str, Any]:
    """Each tier with its members now, the highest first, and how many moved in the period."""
    inside = Count("standings", filter=Q(standings__until=None))
    tiers = list(Tier.objects.annotate(inside=inside).order_by("-threshold"))
    every = sum(each.inside for each in tiers)
    first, after = midnight(period.first, now.tzinfo), midnight(period.last + timedelta(days=1), now.tzinfo)
    moved = Standing.objects.filter(since__gte=first, since__lt=after).aggregate(
        up=Count("pk", filter=Q(reason=Standing.Reason.REACHED)), down=Count("pk", filter=Q(reason__in=CAME_DOWN))
    )
    lines = [
        {
            "name": each.name,
            "people": each.inside,
            "share": each.inside / every if every else 0,
            "shade": min(number, SHADES - 1),
            "link": rows_of(Standing, tier__id__exact=each.pk, now="yes"),
            "page": page_of(Tier, each.pk),
        }
        for number, each in enumerate(tiers)
    ]
    within = period.filters("since", now)
    history = {
        "up": rows_of(Standing, reason__exact=Standing.Reason.REACHED, **within),
        "down": rows_of(Standing, reason__in=",".join(CAME_DOWN), **within),
    }
    return {"lines": lines, "every": every, "all": rows_of(Tier), **moved, "history": history}


def _members(now: datetime) -> list[Line]:
    """Who of the members buys, how often, how much, and who stays away."""
    kept = Sum(Case(When(refunded=0, then=F("net")), default=F("net") - F("refunded")))
    buyers = (
        Order.objects.purchases(now)
        .filter(customer__in=Customer.objects.members(now))
        .order_by()
        .values("customer")
        .annotate(purchases=Count("pk"), last_bought=Max("completed_at"), kept=kept)
    )
    counts: dict[str, Any] = {name: Count("customer", filter=asked) for name, asked in how_they_bought(now).items()}
    found = buyers.aggregate(**counts, worth=Sum("kept", default=Decimal(0)))
    ever = found["ever"]

    def share(name: str) -> str:
        return written.percent(found[name] / ever) if ever else written.NONE

    def people(name: str) -> str:
        return rows_of(Customer, bought=name)

    value = written.money(found["worth"] / ever) if ever else written.NONE
    return [
        Line("Active members", written.count(found["lately"]), people("lately"), "bought in the past 90 days"),
        Line("Bought again", share("again"), people("again"), "of those who bought"),
        Line("No purchase for 90 days", share("lapsed"), people("lapsed"), "of those who bought"),
        Line("Spent by each who bought", value, people("ever"), "on average, so far"),
    ]


def _fate_of_points(now: datetime) -> list[Line]:
    """What the points that can still be spent are worth, and how many of those given were redeemed, and expired."""
    left, moved = totals.left(now), totals.moved()
    given = sum(moved.get(kind, 0) for kind in GAINS)
    redeemed = -moved.get(Entry.Kind.REDEEM, 0) - moved.get(Entry.Kind.REDEEM_REVERSAL, 0)

    def share(points: int) -> str:
        return written.percent(points / given) if given else written.NONE

    worth = written.money(left * store().point_value)
    expired = -moved.get(Entry.Kind.EXPIRE, 0)
    return [
        Line("Points liability", worth, rows_of(Account), f"{written.points(left)}, pending ones too"),
        Line("Points redeemed", share(redeemed), rows_of(Entry, kind__exact=Entry.Kind.REDEEM), "of all given"),
        Line("Points expired", share(expired), rows_of(Entry, kind__exact=Entry.Kind.EXPIRE), "of all given"),
    ]
