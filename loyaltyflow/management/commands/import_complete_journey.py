from argparse import ArgumentParser
from datetime import date
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from loyaltyflow.store.models import StoreSettings


class Command(BaseCommand):
    help = "Take in a year of a real retailer, moved so that it ends within the last week."

    def add_arguments(self, parser: ArgumentParser) -> None:
        day = date.fromisoformat
        parser.add_argument("--since", type=day, help="First day of purchases, such as 2026-01-31.")
        parser.add_argument("--until", type=day, help="Last day of purchases.")
        parser.add_argument("--limit-households", type=int, metavar="N", help="Only the first N of 2,469 households.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            from loyaltyflow.store.complete_journey.load import load  # noqa: PLC0415  needs the extra "demo"
        except ModuleNotFoundError as error:
            missing = f"{error.name} is not installed."
            raise CommandError(f"{missing} Install it: pip install --require-hashes -r requirements-dev.lock") from None
        started = perf_counter()
        with tqdm(total=100, unit="%", bar_format="{desc:<18}{bar} {n:.0f} % [{elapsed}]", leave=False) as bar:

            def show(what: str, share: float) -> None:
                bar.set_description_str(what, refresh=False)
                bar.update(share * 100 - bar.n)

            now = StoreSettings.load().local(timezone.now())
            limit = options["limit_households"]
            made = load(now, options["since"], options["until"], limit, show)
        counts = ", ".join(f"{count:,} {what}" for what, count in made.items())
        self.stdout.write(f"New: {counts} ({perf_counter() - started:.1f} s).")
