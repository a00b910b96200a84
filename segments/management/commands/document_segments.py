import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from segments.exchange.reference import PAGE, page


class Command(BaseCommand):
    help = "Writes docs/segments.md, the page about segments, from the types of conditions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if the page is out of date")

    def handle(self, *args: Any, check: bool = False, **options: Any) -> None:
        """Write the page if it is out of date."""
        text, before = page(), PAGE.read_text() if PAGE.exists() else ""
        if text == before:
            self.stdout.write("docs/segments.md is up to date.")
        elif check:
            self.stderr.write("docs/segments.md is out of date. Run: manage.py document_segments")
            sys.exit(1)
        else:
            PAGE.write_text(text)
            self.stdout.write("docs/segments.md was written.")
