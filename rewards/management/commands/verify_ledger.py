from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from loyaltyflow.words import number
from rewards.ledger.checks import CHECKS
from rewards.ledger.proof import checked, kept


class Command(BaseCommand):
    help = "Prove the whole points ledger: every entry, lot and balance. Ends with 1 if something does not add up."

    def handle(self, *args: Any, **options: Any) -> None:
        started = perf_counter()
        problems: list[str] = []
        with tqdm(total=len(CHECKS), unit=" checks", leave=False) as bar:
            for name, found in checked():
                problems += found
                bar.set_description(name)
                bar.update()
        proof = kept(timezone.now(), perf_counter() - started, problems)
        for problem in problems:
            self.stderr.write(problem)
        if problems:
            raise CommandError(f"{number(len(problems), 'problem')} found in the ledger.")
        self.stdout.write(proof.said)
