"""How many messages were sent in each week."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Min, Sum

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Channel
from loyaltyflow.store.templatetags import figures as written
from messaging.models import Message

from .links import rows_of
from .models import DailyFigure
from .periods import Period, week

WEEKS = 12


def read(now: datetime) -> dict[str, Any]:
    """Messages sent in each of the last 12 ISO weeks, by channel, and in the 12 weeks before; no week is left out.

    Weeks before the first message ever have no number to compare with: None.
    """
    this_week = week(now.date())
    mondays = [this_week - timedelta(weeks=ago) for ago in range(2 * WEEKS - 1, -1, -1)]
    sent: dict[tuple[str, date], int] = defaultdict(int)
    days = DailyFigure.objects.filter(day__gte=mondays[0], day__lt=this_week + timedelta(weeks=1), sent__gt=0)
    for channel, day, number in days.values_list("channel", "day").annotate(Sum("sent")).order_by():
        sent[channel, week(day)] += number
    used = [each for each in Channel if any(channel == each for channel, _ in sent)] or [Channel.EMAIL]
    began = DailyFigure.objects.filter(sent__gt=0).aggregate(day=Min("day"))["day"] or now.date()
    before = [
        sum(sent[channel, monday] for channel in used) if monday >= week(began) else None for monday in mondays[:WEEKS]
    ]
    shown = mondays[WEEKS:]
    series = [{"label": each.label, "values": [sent[each, monday] for monday in shown]} for each in used]
    labels = [written.day(monday) for monday in shown]
    links = [_messages_of_week(monday, now) for monday in shown]
    rows = [
        {"week": label, "sent": numbers, "total": sum(numbers), "before": number, "link": link}
        for label, numbers, number, link in zip(
            labels, zip(*(each["values"] for each in series), strict=True), before, links, strict=True
        )
    ]
    language = store().locale.replace("_", "-")
    chart = {"labels": labels, "series": series, "before": before, "links": links, "locale": language}
    return {"chart": chart, "rows": rows}


def _messages_of_week(monday: date, now: datetime) -> str:
    return rows_of(Message, **Period(monday, monday + timedelta(days=6)).filters("sent_at", now))
