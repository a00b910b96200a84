"""One timeline of all that happened to a customer, newest first, a page at a time."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from django.db import connection
from django.db.models import QuerySet, Value

from loyaltyflow.sql import compiled
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer
from loyaltyflow.words import number

from .sources import facts, loyalty, mail, places, purchases
from .sources.base import Source, Told

SHOWN = 20
GROUPS = {
    "purchases": "Purchases",
    "points": "Points",
    "vouchers": "Vouchers",
    "messages": "Messages",
    "segments": "Segments",
    "workflows": "Workflows",
    "consent": "Consent",
    "tags": "Tags",
    "staff": "Staff",
    "events": "Other events",
}
# In this order they follow each other where they happened at the same moment, the last one first.
SOURCES: list[Source] = [
    loyalty.Used(),
    loyalty.Points(),
    purchases.Bought(),
    purchases.Cancelled(),
    purchases.PaidBack(),
    loyalty.Tiers(),
    loyalty.Given(),
    loyalty.Undone(),
    mail.Wrote(),
    mail.Answered(),
    places.EnteredSegment(),
    places.LeftSegment(),
    places.EnteredWorkflow(),
    places.LeftWorkflow(),
    facts.Said(),
    facts.Tagged(),
    facts.Untagged(),
    facts.Edited(),
    facts.Happened(),
]
Known = list[tuple[int, Source]]


@dataclass(frozen=True)
class Line:
    """One thing that happened, and when."""

    at: datetime
    told: Told


@dataclass(frozen=True)
class Timeline:
    """A page of it, by days; how many lines there are of each group, and of what is shown here."""

    days: list[tuple[date, list[Line]]]
    filters: list[dict[str, Any]]
    shown: str
    first: int
    last: int
    total: int
    page: int

    @property
    def older(self) -> int:
        """The number of the next page; 0 if this is the last."""
        return self.page + 1 if self.last < self.total else 0

    @property
    def newer(self) -> int:
        return self.page - 1

    @property
    def noun(self) -> str:
        return number(self.total, "entry", "entries")


def read(customer: Customer, user: Any, wanted: str, page: int, now: datetime) -> Timeline:
    """The page of the timeline, as far as the user may see it; the number of statements is always the same."""
    known = [(place, each) for place, each in enumerate(SOURCES) if user.has_perm(each.permission)]
    counts = _counts(customer, known)
    wanted = wanted if wanted in GROUPS else ""
    chosen = [(place, each) for place, each in known if wanted in ("", each.group)]
    total = sum(counts.get(place, 0) for place, _ in chosen)
    page = max(1, min(page, -(-total // SHOWN)))
    lines = _lines(customer, chosen, (page - 1) * SHOWN, now)
    local = store().local
    return Timeline(
        days=[(day, list(each)) for day, each in groupby(lines, key=lambda line: local(line.at).date())],
        filters=_filters(known, counts, wanted),
        shown=wanted,
        first=(page - 1) * SHOWN + 1 if total else 0,
        last=(page - 1) * SHOWN + len(lines),
        total=total,
        page=page,
    )


def _filters(known: Known, counts: dict[int, int], wanted: str) -> list[dict[str, Any]]:
    """Each filter that finds something, with how much."""
    found = dict.fromkeys(GROUPS, 0)
    for place, each in known:
        found[each.group] += counts.get(place, 0)
    chips = [("", "All", sum(found.values())), *((name, GROUPS[name], many) for name, many in found.items())]
    return [
        {"name": name, "label": label, "count": many, "is_on": name == wanted}
        for name, label, many in chips
        if many or name in ("", wanted)
    ]


def _union(customer: Customer, chosen: Known) -> QuerySet[Any] | None:
    """Source, moment and number of each line, in no order."""
    queries = [
        each.moments(customer).annotate(told_by=Value(place)).values_list("told_by", "told_at", "told_number")
        for place, each in chosen
    ]
    return queries[0].union(*queries[1:], all=True) if queries else None


def _counts(customer: Customer, known: Known) -> dict[int, int]:
    """How many lines each source has, in one statement."""
    union = _union(customer, known)
    if union is None:
        return {}
    sql, parameters = compiled(union)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT told_by, count(*) FROM ({sql}) AS lines GROUP BY 1", parameters)
        return dict(cursor.fetchall())


def _lines(customer: Customer, chosen: Known, skipped: int, now: datetime) -> list[Line]:
    union = _union(customer, chosen)
    if union is None:
        return []
    page = slice(skipped, skipped + SHOWN)
    rows: list[tuple[int, datetime, int]] = list(union.order_by("-told_at", "-told_by", "-told_number")[page])
    here: dict[int, list[int]] = {}
    for source, _, pk in rows:
        here.setdefault(source, []).append(pk)
    told = {place: SOURCES[place].tell(numbers, now) for place, numbers in here.items()}
    return [Line(at, told[source][pk]) for source, at, pk in rows if pk in told[source]]
