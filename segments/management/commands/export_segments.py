from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from segments.exchange.documents import written
from segments.models import Segment


class Command(BaseCommand):
    help = "Prints segments as YAML: those that are named, else all that are not archived."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="a segment's name, in quotes if it has spaces")

    def handle(self, *args: Any, names: list[str], **options: Any) -> None:
        """Print a document for each segment, those that others ask for before them."""
        chosen = Segment.objects.filter(name__in=names) if names else Segment.objects.shown()
        missing = sorted({*names} - {*chosen.values_list("name", flat=True)})
        if missing:
            raise CommandError(f"There is no segment “{missing[0]}”. Write its name as Customers › Segments shows it.")
        self.stdout.write(written(chosen), ending="")
