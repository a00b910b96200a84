"""The numbers of each day, campaign and channel: counted once, and again only for days on which something changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from loyaltyflow.sql import insert_select
from loyaltyflow.store.events import EventQuerySet
from loyaltyflow.store.models import FeedReader
from messaging.models import Engagement, Message

from .models import Conversion, DailyFigure, StaleDay
from .subjects import subject

Kind = Engagement.Kind
Key = tuple[date, int, str]


@dataclass(frozen=True)
class Statistic:
    """One column of DailyFigure: which rows it counts or adds up, and by which moment a row belongs to a day."""

    column: str
    rows: QuerySet[Any]
    at: str
    message: str = ""  # the way from the row to its message, such as "message__"
    value: Any = Count("pk")

    def by_day(self, zone: Any, days: Iterable[date] | None = None) -> QuerySet[Any]:
        """The values day, campaign, channel and total of the given days, or of all."""
        rows = self.rows.filter(**{f"{self.at}__isnull": False})
        if days is not None:
            rows = rows.filter(within(self.at, days, zone))
        key = {"campaign_key": F(f"{self.message}campaign"), "channel_key": F(f"{self.message}channel")}
        grouped: QuerySet[Any] = rows.values(day_key=TruncDate(self.at, tzinfo=zone), **key).annotate(total=self.value)
        return grouped.order_by()


def did(kind: str, is_machine: bool = False) -> QuerySet[Engagement]:
    return Engagement.objects.filter(kind=kind, is_machine=is_machine)


def sent_and(kind: str) -> QuerySet[Message]:
    return Message.objects.went_out().filter(Exists(did(kind).filter(message=OuterRef("pk"))))


Status = Message.Status
STATISTICS = (
    Statistic("sent", Message.objects.went_out(), "sent_at"),
    Statistic("delivered", Message.objects.went_out().filter(status__in=[Status.SENT, Status.DELIVERED]), "sent_at"),
    Statistic("bounced", Message.objects.filter(status=Status.BOUNCED), "sent_at"),
    Statistic("opened", sent_and(Kind.OPEN), "sent_at"),
    Statistic("clicked", sent_and(Kind.CLICK), "sent_at"),
    Statistic("blocked", Message.objects.filter(status=Status.BLOCKED), "due_at"),
    Statistic("opens", did(Kind.OPEN), "at", "message__"),
    Statistic("clicks", did(Kind.CLICK), "at", "message__"),
    Statistic("machine_opens", did(Kind.OPEN, is_machine=True), "at", "message__"),
    Statistic("machine_clicks", did(Kind.CLICK, is_machine=True), "at", "message__"),
    Statistic("unsubscribes", did(Kind.UNSUBSCRIBE), "at", "message__"),
    Statistic("conversions", Conversion.objects.all(), "ordered_at", "message__"),
    Statistic(
        "revenue",
        Conversion.objects.all(),
        "ordered_at",
        "message__",
        Sum(F("order__net") - F("order__refunded")),
    ),
)
COLUMNS = tuple(each.column for each in STATISTICS)
MESSAGE_EVENTS = ("message_sent", "message_opened", "message_clicked", "unsubscribed")
BLOCKED = next(each for each in STATISTICS if each.column == "blocked")
# No event tells that a message was blocked, which happens within these days of its time, so they are looked at anew.
LOOK_BACK = timedelta(days=7)
BEGINNING = datetime(1970, 2, 1, tzinfo=UTC)


def refresh(now: datetime) -> dict[str, int]:
    """How many days were counted again, because something that happened on them was learned since the last call."""
    with FeedReader.read("figures", now) as events:
        days = _changed(events, now.tzinfo) | _blocked_anew(now)
        stale = StaleDay.objects.select_for_update(skip_locked=True).in_bulk()
        StaleDay.objects.filter(pk__in=list(stale)).delete()
        days |= {each.day for each in stale.values()}
        if days:
            count(days, now.tzinfo)
    return {"days": len(days)}


def count(days: Iterable[date], zone: Any) -> None:
    """Count all statistics of the days anew, each by one statement."""
    days = sorted(days)
    DailyFigure.objects.filter(day__in=days).update(**dict.fromkeys(COLUMNS, 0))
    for each in STATISTICS:
        columns = {"day": "day_key", "campaign": "campaign_key", "channel": "channel_key", each.column: "total"}
        insert_select(
            DailyFigure,
            each.by_day(zone, days),
            columns,
            update_on=["day", "campaign", "channel"],
            update=[each.column],
        )


@transaction.atomic
def recount(zone: Any) -> int:
    """The number of days that were counted anew: all that there are."""
    days = {*DailyFigure.objects.values_list("day", flat=True)}
    count(days.union(*(_days(each.rows, each.at, zone) for each in STATISTICS)), zone)
    return DailyFigure.objects.values("day").distinct().count()


def differences(zone: Any) -> list[str]:
    """A sentence for each figure that is not what a count of all rows gives; none if all are right."""
    found = []
    for each in STATISTICS:
        kept = _kept(each.column, DailyFigure.objects.all())
        counted = _counted(each, zone)
        for key in sorted(kept.keys() | counted.keys()):
            if kept.get(key, 0) != counted.get(key, 0):
                what = f"{each.column} of campaign {key[1]} by {key[2]} on {key[0]}"
                found.append(f"{what}: {kept.get(key, 0)} is kept, {counted.get(key, 0)} is right.")
    return found


def within(at: str, days: Iterable[date], zone: Any) -> Q:
    """The moment lies on one of the days; days in a row are one range, so that an index serves."""
    runs: list[tuple[date, date]] = []
    for day in sorted(days):
        after = day + timedelta(days=1)
        if runs and runs[-1][1] == day:
            runs[-1] = (runs[-1][0], after)
        else:
            runs.append((day, after))
    found = Q(pk__in=[])
    for first, after in runs:
        found |= Q((f"{at}__gte", midnight(first, zone)), (f"{at}__lt", midnight(after, zone)))
    return found


def midnight(day: date, zone: Any) -> datetime:
    """The instant at which the day begins in the zone."""
    return datetime.combine(day, time.min, tzinfo=zone)


def _changed(events: EventQuerySet, zone: Any) -> set[date]:
    """The days of the events about messages, and those on which the messages that they open or click were sent."""
    told = events.named(*MESSAGE_EVENTS)
    touched = Engagement.objects.filter(pk__in=events.named("message_opened", "message_clicked").values(row=subject()))
    return _days(told, "occurred_at", zone) | _days(touched, "message__sent_at", zone)


def _days(rows: QuerySet[Any], at: str, zone: Any) -> set[date]:
    found = rows.filter(**{f"{at}__isnull": False}).values_list(TruncDate(at, tzinfo=zone), flat=True)
    return set(found.order_by().distinct())


def _blocked_anew(now: datetime) -> set[date]:
    reader = FeedReader.objects.get(name="figures")
    since = ((reader.occurred_until or BEGINNING).astimezone(now.tzinfo) - LOOK_BACK).date()
    recent = BLOCKED.rows.filter(due_at__gte=midnight(since, now.tzinfo))
    counted = _totals(Statistic("blocked", recent, "due_at").by_day(now.tzinfo))
    kept = _kept("blocked", DailyFigure.objects.filter(day__gte=since))
    return {key[0] for key, total in counted.items() if kept.get(key, 0) != total}


def _counted(statistic: Statistic, zone: Any) -> dict[Key, int | Decimal]:
    return _totals(statistic.by_day(zone))


def _kept(column: str, rows: QuerySet[DailyFigure]) -> dict[Key, int | Decimal]:
    values = rows.filter(**{f"{column}__gt": 0} if column != "revenue" else {}).values_list(
        "day", "campaign_id", "channel", column
    )
    return {(day, campaign, channel): total for day, campaign, channel, total in values}


def _totals(rows: QuerySet[Any]) -> dict[Key, int | Decimal]:
    values = rows.values_list("day_key", "campaign_key", "channel_key", "total")
    return {(day, campaign, channel): total for day, campaign, channel, total in values}
