import json
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from loyaltyflow.store.models import Customer, StoreSettings
from loyaltyflow.store.templatetags.figures import count, moment, percent
from segments.exchange.documents import Refused, read
from segments.exchange.importing import tried
from segments.models import Segment


class Command(BaseCommand):
    help = (
        "Prints how many customers the segments of a YAML file hold, now or at any instant, and saves nothing. "
        "What it counts is said in words on the error stream."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="A segment in YAML; docs/segments.md describes it.")
        parser.add_argument("--now", metavar="ISO", help="the instant to count at, such as 2026-11-23T14:00; else now")
        parser.add_argument("--json", action="store_true", help="print a line of JSON for each segment")

    def handle(self, *args: Any, file: Path, now: str | None, **options: Any) -> None:
        """Print the number for each segment of the file, with its name if there are several."""
        at = _at(now)
        try:
            with tried(read(file.read_bytes(), file.name)) as segments:
                for segment in segments:
                    self._count(segment, at, len(segments) > 1, options["json"])
        except Refused as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None

    def _count(self, segment: Segment, at: datetime, is_named: bool, as_json: bool) -> None:
        held, everybody = segment.count(at), Customer.objects.count()
        if as_json:
            line = {"name": segment.name, "now": at.isoformat(), "customers": held, "of": everybody}
            self.stdout.write(json.dumps(line | {"summary": segment.summary()}, ensure_ascii=False))
            return
        share = f" ({percent(held / everybody)})" if everybody else ""
        what = segment.summary().rstrip(".")
        self.stderr.write(f"{what}, on {moment(at)}: {count(held)} of {count(everybody)}{share}.")
        for asked in Segment.objects.filter(pk__in=[*segment.asks_for()], is_active=False, kind=Segment.Kind.DYNAMIC):
            self.stderr.write(
                f"“{asked}” is not active here, so only those who were in it before count as its members."
            )
        self.stdout.write(f"{held}\t{segment.name}" if is_named else str(held))


def _at(now: str | None) -> datetime:
    store = StoreSettings.load()
    try:
        return store.moment(now) if now else store.local(timezone.now())
    except ValueError as error:
        raise CommandError(f"--now {error}") from None
