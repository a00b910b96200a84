from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from loyaltyflow.words import number
from rewards.ledger.redating import redate


class Command(BaseCommand):
    help = (
        "Give all unexpired points the expiry that the programme gives to points earned now. "
        "Changing the programme alone touches only points that are earned later."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")

    def handle(self, *args: Any, dry_run: bool = False, **options: Any) -> None:
        changed = redate(timezone.now(), is_only_preview=dry_run)
        self.stdout.write(
            f"{'Would change' if dry_run else 'Changed'} {number(changed.lots, 'lot')} of "
            f"{number(changed.customers, 'customer')}: {changed.later:,} points expire later than before "
            f"({changed.never:,} of them never), {changed.earlier:,} earlier."
        )
