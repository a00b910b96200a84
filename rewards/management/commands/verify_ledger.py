from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rewards import ledger
from rewards.models import Account


class Command(BaseCommand):
    help = "Prove that every points balance equals the sum of its entries and what is left of its lots."

    def handle(self, *args: Any, **options: Any) -> None:
        if problems := ledger.verify():
            for problem in problems:
                self.stderr.write(problem)
            raise CommandError(f"{len(problems):,} accounts do not add up.")
        self.stdout.write(f"All {Account.objects.count():,} balances equal their entries and their lots.")
