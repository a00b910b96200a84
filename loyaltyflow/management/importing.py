"""What the import commands share: a progress bar, a dry run, a summary, and one clear line when a file is of no use."""

from argparse import ArgumentParser
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from loyaltyflow.store.intake import Context, Kind, Outcome
from loyaltyflow.store.intake.files import CannotBeRead, rejected_path, take_file, unknown_columns
from loyaltyflow.store.intake.statistics import analyze
from loyaltyflow.store.models import StoreSettings

MANY = 10_000  # new rows, after which the plans of queries may be out of date


class ImportCommand(BaseCommand):
    """Take in one CSV file of a kind."""

    kind: ClassVar[Kind]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="A CSV file in UTF-8; docs/importing.md describes its columns.")
        parser.add_argument("--source", default="import", help="The system the rows come from, where they do not say.")
        parser.add_argument("--dry-run", action="store_true", help="Check every row, change nothing.")

    def handle(self, *args: Any, file: Path, source: str, dry_run: bool, **options: Any) -> None:
        store, started = StoreSettings.load(), perf_counter()
        context = Context.of(store, store.local(timezone.now()), source[:40])
        try:
            if ignored := unknown_columns(self.kind, file):
                self.stderr.write(f"Columns without use are left out: {', '.join(ignored)}.")
            with tqdm(total=file.stat().st_size, unit="B", unit_scale=True, desc=file.name, leave=False) as bar:
                outcome = take_file(self.kind, file, context, dry_run, lambda done: _show(bar, done))
        except (CannotBeRead, OSError) as error:
            raise CommandError(str(error)) from None
        if outcome.counts["created"] >= MANY and not dry_run:
            analyze()
        self._report(file, outcome, dry_run, perf_counter() - started)

    def _report(self, file: Path, outcome: Outcome, dry_run: bool, seconds: float) -> None:
        counts = ", ".join(f"{count:,} {what}" for what, count in outcome.counts.items())
        self.stdout.write(f"{self.kind.name.capitalize()}: {counts} ({seconds:.1f} s).")
        if outcome.refused:
            self.stdout.write(f"The refused lines and why: {rejected_path(file)}")
        if dry_run:
            self.stdout.write("This was a dry run: nothing was changed.")


def _show(bar: Any, done: int) -> None:
    bar.update(done - bar.n)
