from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction
from tqdm import tqdm

from rewards import pools
from rewards.discounts import Discount
from rewards.vouchers import CodePool


class Command(BaseCommand):
    help = "Makes a pool of new codes for a discount. The same name once more goes on where it was stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("discount", help="The discount's name.")
        parser.add_argument("count", type=int, help="How many codes the pool shall hold.")
        parser.add_argument("--pool", required=True, help="The pool's name.")

    def handle(self, *args: Any, discount: str, count: int, pool: str, **options: Any) -> None:
        """Make the codes, with a progress bar."""
        of = Discount.objects.non_polymorphic().filter(name=discount).first()
        if of is None:
            raise CommandError(f"There is no discount called “{discount}”. Write its name as staff see it.")
        if count < 1:
            raise CommandError(f"A pool holds at least 1 code, not {count}.")
        held = self._pool(of, count, pool)
        with tqdm(total=held.wanted, initial=held.made, unit="code", leave=False) as bar:
            made = pools.fill(held.pk, bar.update)
        self.stdout.write(f"{pool}: {made:,} codes made.")

    @staticmethod
    def _pool(discount: Discount, count: int, name: str) -> CodePool:
        try:
            with transaction.atomic():
                return CodePool.objects.create(discount=discount, name=name, wanted=count)
        except IntegrityError:
            known = CodePool.objects.get(name=name)
        if (known.discount_id, known.wanted, known.is_imported) != (discount.pk, count, False):
            raise CommandError(f"“{name}” is another pool: {known.wanted:,} codes. Give this one another name.")
        return known
