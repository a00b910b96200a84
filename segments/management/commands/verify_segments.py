import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from loyaltyflow.store.models import Customer, FeedReader, StoreSettings
from loyaltyflow.words import number
from segments import refresh
from segments.models import Recheck, Segment


class Command(BaseCommand):
    help = (
        "Judges every customer afresh and compares with what is kept of each live segment: its members, its count, "
        "and when the members are looked at again. Ends with 1 if something differs and was not mended."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--now", metavar="ISO", help="the moment to judge by, such as 2026-11-23T14:00; else the last refresh's"
        )
        parser.add_argument(
            "--repair",
            action="store_true",
            help="mend what differs; who comes in or goes out by that is told to workflows, as at any other time",
        )

    def handle(self, *args: Any, now: str | None = None, repair: bool = False, **options: Any) -> None:
        """Print one line for each segment; end with 1 if one of them differs and is not mended."""
        if repair and now:
            raise CommandError("--repair mends what is kept at present. Leave --now out.")
        store = StoreSettings.load()
        wrong = self._differing(_moment(now, store), bool(now))
        if wrong and repair:
            counts = refresh.mend(wrong, max(store.local(timezone.now()), _moment(None, store)))
            self.stdout.write(
                f"Mended: {counts['entered']:,} entered and {counts['left']:,} left, each with its event."
            )
            wrong = self._differing(_moment(None, store), False)
        if wrong:
            sys.exit(1)

    def _differing(self, moment: datetime, is_past: bool) -> list[Segment]:
        segments = Segment.objects.live().exclude(built_at=None).with_trees()
        return [segment for segment in segments if not self._agrees(segment, moment, is_past)]

    def _agrees(self, segment: Segment, now: datetime, is_past: bool) -> bool:
        missing, extra = segment.astray(now)
        kept = segment.memberships.at(now).count()
        faults = [*_fault("missing", missing), *_fault("too many", extra)]
        if segment.members_now != segment.memberships.open().count():
            faults.append(f"its count says {segment.members_now:,}")
        if not is_past:
            faults += _fault("looked at too late", _late(segment, now))
        self.stdout.write(f"{segment}: {number(kept, 'member')}, {'; '.join(faults) or 'as they should be'}")
        return not faults


def _moment(now: str | None, store: StoreSettings) -> datetime:
    """What was given, else when the segments were refreshed last, as later events are still on their way."""
    if now is None:
        reader = FeedReader.objects.filter(name=refresh.READER).first()
        return store.local((reader and reader.occurred_until) or timezone.now())
    try:
        return store.moment(now)
    except ValueError as error:
        raise CommandError(f"--now {error}") from None


def _late(segment: Segment, now: datetime) -> QuerySet[Customer]:
    """Customers whose answer may change before they are looked at again."""
    flips = segment.root.flips_of_everybody(now) if segment.root else None
    if flips is None:
        return Customer.objects.none()
    kept = Recheck.objects.filter(segment=segment, customer=OuterRef("pk")).values("due_at")
    due = Customer.objects.annotate(needed_at=flips, kept_at=Subquery(kept)).filter(needed_at__isnull=False)
    return due.filter(Q(kept_at__isnull=True) | Q(kept_at__gt=F("needed_at")))


def _fault(word: str, customers: QuerySet[Customer]) -> list[str]:
    """How many customers are astray and who the first of them are; nothing if none is."""
    count = customers.count()
    first = ", ".join(f"{each} ({each.pk})" for each in customers.order_by("pk")[:3])
    more = " and others" if count > 3 else ""
    return [f"{count:,} {word}: {first}{more}"] if count else []
