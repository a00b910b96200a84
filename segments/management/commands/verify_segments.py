import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from loyaltyflow.store.models import Customer, FeedReader, StoreSettings
from segments.models import Segment
from segments.refresh import READER


class Command(BaseCommand):
    help = "Judges every customer afresh and compares with the kept members of each live segment."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--now", help="The moment to judge by, such as 2026-11-23T14:00-05:00. The last refresh's.")

    def handle(self, *args: Any, now: str | None = None, **options: Any) -> None:
        """Print one line for each segment; end with 1 if one of them differs."""
        moment = StoreSettings.load().local(_moment(now))
        segments = Segment.objects.live().exclude(built_at=None).with_trees()
        wrong = [segment for segment in segments if not self._agrees(segment, moment)]
        if wrong:
            sys.exit(1)

    def _agrees(self, segment: Segment, now: datetime) -> bool:
        missing, extra = segment.astray(now)
        kept = segment.memberships.at(now).count()
        faults = [*_fault("missing", missing), *_fault("too many", extra)]
        if segment.members_now != segment.memberships.open().count():
            faults.append(f"its count says {segment.members_now:,}")
        self.stdout.write(f"{segment}: {kept:,} members, {'; '.join(faults) or 'as they should be'}")
        return not faults


def _moment(now: str | None) -> datetime:
    """What was given, else when the segments were refreshed last, as later events are still on their way."""
    if now is None:
        reader = FeedReader.objects.filter(name=READER).first()
        return (reader and reader.occurred_until) or timezone.now()
    moment = parse_datetime(now)
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"--now is “{now}”. Write a time with its offset, such as 2026-11-23T14:00-05:00.")
    return moment


def _fault(word: str, customers: QuerySet[Customer]) -> list[str]:
    """How many customers are astray and who the first of them are; nothing if none is."""
    count = customers.count()
    first = ", ".join(f"{each} ({each.pk})" for each in customers.order_by("pk")[:3])
    more = " and others" if count > 3 else ""
    return [f"{count:,} {word}: {first}{more}"] if count else []
