from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from analytics import attribution, figures
from loyaltyflow.store.models import StoreSettings


class Command(BaseCommand):
    help = (
        "Decide anew for every order which message it is credited to, and count the figures of all days, "
        "as after changing how long a click counts, or the store's time zone."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = StoreSettings.load().local(timezone.now())
        credited = attribution.recredit(now)["credited"]
        days = figures.recount(now.tzinfo)
        self.stdout.write(f"{credited:,} orders are credited; the figures of {days:,} days were counted anew.")
