"""What the dashboard shows, read by a fixed number of statements however many customers and messages there are."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Min, Q, Sum

from loyaltyflow.store.clock import store
from loyaltyflow.store.templatetags import figures as written
from messaging.models import Campaign, Engagement, Message
from rewards.models import Account, Entry, Lot
from workflows.models import Workflow

from . import weekly
from .figures import COLUMNS, midnight
from .links import page_of, rows_of
from .models import Conversion, DailyFigure
from .periods import Period

CAMPAIGNS_SHOWN = 7
ENOUGH_TO_JUDGE = 50
Totals = dict[str, Any]


@dataclass(frozen=True)
class Counter:
    """One of the figures at the head of the page, what it was before, and the list of the rows behind it."""

    label: str
    value: int | Decimal
    link: str
    was: int | Decimal | None = None
    note: str = ""
    is_money: bool = False

    @property
    def text(self) -> str:
        return self.written(self.value)

    @property
    def before(self) -> str:
        return self.written(self.was)

    def written(self, value: int | Decimal | None) -> str:
        """The value as the store writes it."""
        return written.money(value) if self.is_money else written.count(value)

    @property
    def rose(self) -> bool:
        return self.was is not None and self.value >= self.was


@dataclass(frozen=True)
class Band:
    """A share of messages beside the range that is usual for it."""

    label: str
    usual: str
    low: float
    high: float
    scale: float
    part: int
    whole: int

    @property
    def share(self) -> float | None:
        return self.part / self.whole if self.whole else None

    @property
    def verdict(self) -> str:
        """In words: in band, above, below, or too few to judge."""
        if self.share is None or self.whole < ENOUGH_TO_JUDGE:
            return "too few to judge"
        if self.share < self.low:
            return "below"
        return "above" if self.share > self.high else "in band"

    @property
    def left(self) -> float:
        return self.low / self.scale

    @property
    def span(self) -> float:
        return (self.high - self.low) / self.scale

    @property
    def at(self) -> float:
        return min((self.share or 0) / self.scale, 1)


@dataclass
class Earner:
    """What one campaign brought in the period, and in the one before."""

    name: str
    conversions: int
    revenue: Decimal
    was: Decimal
    link: str = ""
    page: str = ""
    share: float = field(default=0)


def read(period: Period, now: datetime) -> dict[str, Any]:
    """All that the page shows of messages, purchases and points in the period."""
    totals, before = _totals(period), _totals(period.before)
    return {
        "counters": _counters(period, totals, before, now),
        "weekly": weekly.read(now),
        "bands": _bands(totals),
        "rates": _rates(totals),
        "totals": totals,
        "before": before,
        "by_campaign": _by_campaign(period, now),
        "points": _points(period, now),
        "is_empty": not Message.objects.exists(),
    }


def _totals(period: Period) -> Totals:
    days = DailyFigure.objects.filter(day__range=(period.first, period.last))
    return {name: total or 0 for name, total in days.aggregate(**{name: Sum(name) for name in COLUMNS}).items()}


def _counters(period: Period, totals: Totals, before: Totals, now: datetime) -> list[Counter]:
    pending = Message.objects.filter(status=Message.Status.PENDING).aggregate(number=Count("pk"), next=Min("due_at"))
    credited = _credited(period, now)
    conversions = rows_of(Conversion, **period.filters("ordered_at", now))

    def counted(label: str, name: str, link: str, note: str = "", is_money: bool = False) -> Counter:
        return Counter(label, totals[name], link, before[name] or None, note, is_money)

    def done(kind: str) -> str:
        return rows_of(Engagement, kind__exact=kind, is_machine__exact=0, **period.filters("at", now))

    return [
        Counter(
            "Pending",
            pending["number"],
            rows_of(Message, status__exact=Message.Status.PENDING),
            note=_next(pending["next"], now),
        ),
        counted(
            "Sent", "sent", rows_of(Message, **period.filters("sent_at", now)), _more(totals["blocked"], "blocked")
        ),
        counted("Opens", "opens", done(Engagement.Kind.OPEN), _more(totals["machine_opens"], "more by machines")),
        counted("Clicks", "clicks", done(Engagement.Kind.CLICK), _more(totals["machine_clicks"], "more by machines")),
        counted("Conversions", "conversions", conversions, _more(credited["people"], "by", "people", "person")),
        counted("Revenue", "revenue", conversions, _refunded(credited["refunded"]), is_money=True),
    ]


def _credited(period: Period, now: datetime) -> Totals:
    first = midnight(period.first, now.tzinfo)
    after = midnight(period.last + timedelta(days=1), now.tzinfo)
    return Conversion.objects.filter(ordered_at__gte=first, ordered_at__lt=after).aggregate(
        people=Count("order__customer", distinct=True), refunded=Sum("order__refunded")
    )


def _next(due_at: datetime | None, now: datetime) -> str:
    if due_at is None:
        return ""
    if due_at <= now:
        return "going out now"
    is_today = due_at.astimezone(now.tzinfo).date() == now.date()
    return f"next at {written.clock(due_at)}" if is_today else f"next on {written.moment(due_at)}"


def _more(number: int, *words: str) -> str:
    """A note such as “12 blocked” or “by 387 people”; nothing for none."""
    if not number:
        return ""
    if words[0] == "by":
        return f"by {written.count(number)} {words[2] if number == 1 else words[1]}"
    return f"{written.count(number)} {words[0]}"


def _refunded(amount: Decimal | None) -> str:
    return f"{written.money(amount)} refunded" if amount else ""


def _bands(totals: Totals) -> list[Band]:
    """Shares with the range that is usual for them; of delivery only where a provider tells of returned mail."""
    sent, delivered = totals["sent"], totals["delivered"]
    bands = [
        Band("Opened", "15–30%", 0.15, 0.30, 0.45, totals["opened"], delivered),
        Band("Clicked", "2–5%", 0.02, 0.05, 0.08, totals["clicked"], delivered),
    ]
    if totals["bounced"]:
        bands[:0] = [
            Band("Delivered", "over 90%", 0.90, 1, 1, delivered, sent),
            Band("Bounced", "under 10%", 0, 0.10, 0.15, totals["bounced"], sent),
        ]
    return bands


def _rates(totals: Totals) -> dict[str, float | None]:
    """Shares that have no usual range."""
    delivered, opened = totals["delivered"], totals["opened"]
    return {
        "clicked_of_opened": totals["clicked"] / opened if opened else None,
        "unsubscribed": totals["unsubscribes"] / delivered if delivered else None,
    }


def _by_campaign(period: Period, now: datetime) -> list[Earner]:
    """The campaigns that brought most, and one line for all others, so that the column adds up."""
    days = Q(figures__day__range=(period.first, period.last))
    earlier = Q(figures__day__range=(period.before.first, period.before.last))
    campaigns = (
        Campaign.objects.filter(days | earlier)
        .annotate(
            conversions_made=Sum("figures__conversions", filter=days, default=0),
            revenue=Sum("figures__revenue", filter=days, default=Decimal(0)),
            was=Sum("figures__revenue", filter=earlier, default=Decimal(0)),
        )
        .filter(Q(conversions_made__gt=0) | Q(was__gt=0))
        .annotate(workflow_number=F("workflow__pk"))
        .order_by("-revenue", "name")
    )
    found = [
        Earner(
            each.name,
            each.conversions_made,
            each.revenue,
            each.was,
            rows_of(Conversion, campaign__id__exact=each.pk, **period.filters("ordered_at", now)),
            page_of(Workflow, each.workflow_number) if each.workflow_number else "",
        )
        for each in campaigns
    ]
    shown, others = found[:CAMPAIGNS_SHOWN], found[CAMPAIGNS_SHOWN:]
    if others:
        shown.append(_together(others))
    most = max((each.revenue for each in shown), default=Decimal(0))
    for each in shown:
        each.share = float(each.revenue / most) if most > 0 else 0
    return shown


def _together(earners: list[Earner]) -> Earner:
    return Earner(
        f"{len(earners)} others",
        sum(each.conversions for each in earners),
        sum((each.revenue for each in earners), Decimal(0)),
        sum((each.was for each in earners), Decimal(0)),
    )


def _points(period: Period, now: datetime) -> dict[str, Any]:
    """The points statement: outstanding before the period, what moved in it, outstanding at its end."""
    worth = store().point_value
    held = Account.objects.aggregate(points=Sum("balance", default=0), accounts=Count("pk"))
    moves, later = _moved(period, now)
    liable = _liable(now)
    ledger = period.filters("occurred_at", now)

    def line(points: int, **more: Any) -> dict[str, Any]:
        return {"points": points, "worth": points * worth, **more}

    return {
        "hundred": 100 * worth,
        "start": line(held["points"] - later - sum(moves.values())),
        "moves": [
            line(moves[kind], label=kind.label, link=rows_of(Entry, kind__exact=kind, **ledger))
            for kind in Entry.Kind
            if kind in moves
        ],
        "end": line(held["points"] - later),
        "liability": line(liable["points"], waiting=liable["waiting"]),
        "accounts": held["accounts"],
        "is_now": period.last >= now.date(),
        "ledger": rows_of(Entry, **ledger),
        "balances": rows_of(Account),
    }


def _moved(period: Period, now: datetime) -> tuple[dict[str, int], int]:
    """The points that moved in the period, by kind of entry, and all that moved after it."""
    first, after = (midnight(day, now.tzinfo) for day in (period.first, period.last + timedelta(days=1)))
    within = Entry.objects.filter(occurred_at__gte=first, occurred_at__lt=after)
    later = Entry.objects.filter(occurred_at__gte=after).aggregate(points=Sum("points", default=0))
    return dict(within.order_by().values_list("kind").annotate(Sum("points"))), later["points"]


def _liable(now: datetime) -> dict[str, int]:
    """The points that may still be spent, and those of them that wait."""
    lots = Lot.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), remaining__gt=0)
    waiting = Sum("remaining", default=0, filter=Q(available_at__gt=now))
    return lots.aggregate(points=Sum("remaining", default=0), waiting=waiting)
