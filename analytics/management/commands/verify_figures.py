from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from analytics import figures
from loyaltyflow.store.models import StoreSettings


class Command(BaseCommand):
    help = "Count all figures from the rows behind them and say which of those that are kept differ."

    def handle(self, *args: Any, **options: Any) -> None:
        zone = StoreSettings.load().local(timezone.now()).tzinfo
        found = figures.differences(zone)
        for line in found:
            self.stderr.write(line)
        if found:
            raise CommandError(
                f"{len(found):,} figures differ from a full count. `manage.py recredit` counts all of them anew."
            )
        self.stdout.write("All figures equal a full count.")
