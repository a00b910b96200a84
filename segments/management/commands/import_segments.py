from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from loyaltyflow.store.models import StoreSettings
from segments.exchange.documents import Document, Refused, read
from segments.exchange.importing import Change, What, take_in

DONE = {
    What.NEW: "made, not active",
    What.CHANGED: "its changes wait to be saved",
    What.SAME: "as it is here already",
}


class Command(BaseCommand):
    help = (
        "Makes segments from YAML files, not active. What a file says of a segment that is here already becomes that "
        "segment's unsaved changes. If one file has a fault, nothing of any of them is done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="docs/segments.md describes it")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")

    def handle(self, *args: Any, files: list[Path], dry_run: bool = False, **options: Any) -> None:
        """Print a line for each segment of the files."""
        try:
            texts = [(file.read_bytes(), file.name) for file in files]
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}.") from None
        with transaction.atomic():
            self._report(_taken_in(texts))
            transaction.set_rollback(dry_run)
        if dry_run:
            self.stdout.write("This was a dry run: nothing was changed.")

    def _report(self, changes: list[Change]) -> None:
        for change in changes:
            self.stdout.write(f"{change.segment}: {DONE[change.what]}. {' '.join(change.notes)}".strip())


def _taken_in(texts: list[tuple[bytes, str]]) -> list[Change]:
    reasons: list[str] = []
    found: list[Document] = []
    for text, name in texts:
        try:
            found += read(text, name)
        except Refused as error:
            reasons += error.reasons
    try:
        if reasons:
            raise Refused(reasons)
        return take_in(found, None, StoreSettings.load().local(timezone.now()))
    except Refused as error:
        raise CommandError(str(error)) from None
