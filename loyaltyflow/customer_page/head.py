"""Who the customer is, and the figures that say most of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Avg, Count, F, Max, Min, Sum

from analytics.links import rows_of
from loyaltyflow.sql import compiled
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Channel, Consent, Customer, ExternalId, Order, Tagging
from loyaltyflow.store.templatetags.figures import birthday
from loyaltyflow.words import number

CARD = "card"  # the source of an external number that is a customer's card
FEWEST_GAPS = 2  # between purchases, before anything is said of what is usual

# Days between a customer's purchases; several on one day are one visit.
USUAL = """
WITH visits AS (SELECT DISTINCT date_trunc('day', completed_at AT TIME ZONE %s) AS day FROM ({orders}) AS orders),
gaps AS (SELECT extract(epoch FROM day - lag(day) OVER (ORDER BY day)) / 86400 AS days FROM visits)
SELECT count(days), percentile_cont(0.5) WITHIN GROUP (ORDER BY days) FROM gaps
"""


@dataclass(frozen=True)
class Forecast:
    """How many days usually lie between purchases, and when the next one is to be expected."""

    days: int
    next: datetime
    overdue: int  # days since then; 0 if it is still to come


@dataclass(frozen=True)
class Purchases:
    """What the customer bought in all: paid for goods, less refunds."""

    number: int
    net: Decimal
    average: Decimal | None
    first: datetime | None
    last: datetime | None
    link: str
    forecast: Forecast | None

    @property
    def noun(self) -> str:
        return number(self.number, "order")


def who(customer: Customer, user: Any, now: datetime) -> dict[str, Any]:
    """The customer's face, address, numbers, tags and membership."""
    numbers = list(ExternalId.objects.filter(customer=customer).order_by("source", "pk"))
    tags = Tagging.objects.open().filter(customer=customer).select_related("tag").order_by("tag__name")
    joined, left = customer.loyalty_joined_at, customer.loyalty_left_at
    return {
        "initials": "".join(part[:1] for part in (customer.first_name, customer.last_name)).upper(),
        "lives_in": " ".join(each for each in (customer.state, customer.postal_code, customer.country) if each),
        "born": birthday(customer.birth_month, customer.birth_day, customer.birth_year),
        "cards": [each.external_id for each in numbers if each.source == CARD],
        "numbers": [each for each in numbers if each.source != CARD],
        "tags": list(tags) if user.has_perm("store.view_tagging") else [],
        "member_since": joined if joined and joined <= now and not (left and left <= now) else None,
        "left_at": left if left and left <= now else None,
    }


def purchases(customer: Customer, now: datetime) -> Purchases:
    """All purchases in figures; two statements however many there are."""
    orders = Order.objects.purchases(now).filter(customer=customer)
    sums = orders.annotate(kept=F("net") - F("refunded")).aggregate(
        number=Count("pk"), sum=Sum("kept"), average=Avg("kept"), first=Min("completed_at"), last=Max("completed_at")
    )
    return Purchases(
        number=sums["number"],
        net=sums["sum"] or Decimal(0),
        average=sums["average"],
        first=sums["first"],
        last=sums["last"],
        link=rows_of(Order, customer__id__exact=customer.pk),
        forecast=_forecast(orders.values("completed_at"), sums["last"], now),
    )


def _forecast(orders: Any, last: datetime | None, now: datetime) -> Forecast | None:
    sql, parameters = compiled(orders.order_by())
    with connection.cursor() as cursor:
        cursor.execute(USUAL.format(orders=sql), [store().time_zone, *parameters])
        gaps, days = cursor.fetchone()
    if gaps < FEWEST_GAPS or last is None:
        return None
    expected = last + timedelta(days=float(days))
    return Forecast(round(days), expected, max(0, (now - expected).days))


def consents(customer: Customer) -> list[dict[str, Any]]:
    """The last word on each channel on which there is one, in the channels' order; one statement."""
    words = Consent.objects.filter(customer=customer).order_by("channel", "-given_at", "-pk").distinct("channel")
    known = {each.channel: each for each in words}
    return [
        {"channel": label, "word": known[name], "is_yes": known[name].status == Consent.Status.OPTED_IN}
        for name, label in Channel.choices
        if name in known
    ]
