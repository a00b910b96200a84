import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from loyaltyflow import tick
from loyaltyflow.models import TickRun
from loyaltyflow.store.models import StoreSettings


class Command(BaseCommand):
    help = "Work through everything that follows from the facts known so far, as the schedule does each minute."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--now", metavar="ISO", help="the moment to work for, such as 2026-11-23T14:00")
        parser.add_argument("--deliver", action="store_true", help="deliver messages here instead of by the workers")
        parser.add_argument("--json", action="store_true", help="print the record as one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        now = self._moment(options["now"]) if options["now"] else timezone.now()
        record = tick.run(now, tick.STAGES_THAT_DELIVER if options["deliver"] else tick.STAGES)
        if record.pk is None:
            self.stderr.write("Another process runs the tick right now, and does the work.")
        if options["json"]:
            line = {"now": record.now.isoformat(), "seconds": record.seconds, "stages": record.stages}
            self.stdout.write(json.dumps(line))
        else:
            self._print(record)
        if record.has_failed:
            raise CommandError("A stage failed; the log has the details, and the next tick tries it again.")

    def _moment(self, text: str) -> datetime:
        """The moment that the text names; without an offset it is read on the store's clock."""
        try:
            moment = StoreSettings.load().moment(text)
        except ValueError as error:
            raise CommandError(f"--now {error}") from None
        last = TickRun.objects.order_by("-now").values_list("now", flat=True).first()
        if last and moment < last:
            raise CommandError(
                f"--now is {moment.isoformat()}, before the last tick at {last.isoformat()}. "
                "Facts up to then have been worked through; name a later moment."
            )
        return moment

    def _print(self, record: TickRun) -> None:
        for stage in record.stages:
            counts = ", ".join(f"{number:,} {what}" for what, number in stage["counts"].items() if number)
            self.stdout.write(
                f"{stage['name']:<20}{stage['seconds']:>8.3f} s  {stage['error'] or counts or 'nothing to do'}"
            )
        self.stdout.write(f"{'in all':<20}{record.seconds:>8.3f} s")
