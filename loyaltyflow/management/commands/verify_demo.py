from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from analytics import programme
from analytics.periods import chosen
from loyaltyflow.demo import by_hand
from loyaltyflow.store.models import StoreSettings
from loyaltyflow.store.templatetags.figures import money, points
from rewards import ledger


class Command(BaseCommand):
    help = (
        "Prove the demo store's ledger, and work out its points liability a second time: in plain Python, from the "
        "retailer's files. Ends with 1 if the dashboard shows another amount."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        store = StoreSettings.load()
        if not store.is_demo:
            raise CommandError("This is no demo store. Make one with: make demo")
        now = store.local(timezone.now())
        proof = ledger.prove(now)
        if proof.problems:
            raise CommandError("\n".join([proof.said, *proof.problems]))
        self.stdout.write(proof.said)
        self._compare(now)

    def _compare(self, now: datetime) -> None:
        left, worth = by_hand.liability(now)
        shown = programme.read(chosen({}, now), now)["fate"][0]
        self.stdout.write(f"Points liability on the dashboard: {shown.text} ({shown.note}).")
        self.stdout.write(f"Worked out from the files:         {money(worth)} ({points(left)}).")
        if shown.text != money(worth) or not shown.note.startswith(points(left)):
            raise CommandError("They are not the same.")
