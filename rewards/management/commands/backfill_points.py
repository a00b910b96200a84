from argparse import ArgumentParser
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from loyaltyflow.store.models import StoreSettings
from loyaltyflow.store.templatetags.figures import money
from rewards.earning.backfill import Totals, backfill, past


class Command(BaseCommand):
    help = (
        "Give members points for purchases of the past, by the earning rules and multipliers as they are now. "
        "A rule counts from the day that it says. Each purchase earns once by each rule, however often this runs; "
        "points keep the day on which they were earned, and expire accordingly."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since", type=date.fromisoformat, required=True, metavar="DAY", help="first day, such as 2026-01-31"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be given, and give nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        store = StoreSettings.load()
        now = store.local(timezone.now())
        orders = past(datetime.combine(options["since"], datetime.min.time(), store.zone), now)
        totals = Totals()
        with tqdm(total=len(orders), unit=" orders", disable=None, leave=False) as bar:
            for done in backfill(orders, now, totals, is_rehearsal=options["dry_run"]):
                bar.update(done)
        said = "Would give" if options["dry_run"] else "Gave"
        back = f", {totals.taken_back:,} of them taken back for refunds" if totals.taken_back else ""
        self.stdout.write(
            f"{said} {totals.earned:,} points to {len(totals.customers):,} customers for {len(totals.orders):,} "
            f"of {len(orders):,} purchases{back}: worth {money(totals.points * store.point_value)}."
        )
