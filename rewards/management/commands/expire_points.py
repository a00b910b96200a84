from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from loyaltyflow.words import number
from rewards import ledger
from rewards.models import Lot

AT_ONCE = 10_000  # customers in one transaction, so that tills do not wait long for an account


class Command(BaseCommand):
    help = "Write down which points have expired, as each tick does."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        ledger.prolong(now)
        due = Lot.objects.filter(remaining__gt=0, expires_at__lte=now).order_by("customer")
        customers = list(due.values_list("customer", flat=True).distinct())
        expired = 0
        with tqdm(total=len(customers), unit=" customers", leave=False) as bar:
            for start in range(0, len(customers), AT_ONCE):
                some = customers[start : start + AT_ONCE]
                expired += ledger.expire(now, some)
                bar.update(len(some))
        self.stdout.write(f"{number(expired, 'lot')} expired, of {number(len(customers), 'customer')}.")
