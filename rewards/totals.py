"""How many points were ever moved, by what moved them, without reading the whole ledger for it."""

from datetime import datetime, timedelta

from django.db import models, transaction
from django.db.models import Max, Min, Sum
from django.db.models.functions import Now

from .points import Account, Entry, Lot

MARGIN = timedelta(hours=1)  # a transaction that took a lower number is over by then


class LedgerTotals(models.Model):
    """The sums of the ledger's entries up to one of them; those after it are few."""

    entry = models.BigIntegerField(default=0, help_text="Up to this number entries are added up.")
    points = models.JSONField(default=dict, help_text="What entries of each kind add up to.")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="there_is_one_row_of_ledger_totals")]

    def __str__(self) -> str:
        return f"Up to entry {self.entry}"


def moved() -> dict[str, int]:
    """What the entries of each kind add up to, by a number of rows that does not grow with the ledger."""
    known = LedgerTotals.objects.filter(pk=1).first() or LedgerTotals()
    return _added(known.points, Entry.objects.filter(pk__gt=known.entry))


def left(now: datetime) -> int:
    """How many points there are that can be spent, now or later: what accounts hold, but for lots that have expired.

    What is owed is in nobody's lots: balances are lower by it.
    """
    held = Account.objects.aggregate(balance=Sum("balance", default=0), owed=Sum("owed", default=0))
    lapsed = Lot.objects.filter(remaining__gt=0, expires_at__lte=now).aggregate(points=Sum("remaining", default=0))
    return int(held["balance"] + held["owed"] - lapsed["points"])


@transaction.atomic
def roll_up(now: datetime) -> dict[str, int]:
    """How many entries were added to the totals: those before any that a transaction under way may yet write."""
    LedgerTotals.objects.get_or_create(pk=1)
    known = LedgerTotals.objects.select_for_update().get(pk=1)
    fresh = Entry.objects.filter(pk__gt=known.entry)
    old, young = fresh.filter(recorded_at__lte=Now() - MARGIN), fresh.filter(recorded_at__gt=Now() - MARGIN)
    first = young.aggregate(first=Min("pk"))["first"]
    # Not up to the young one: what has a number between may not be there to see yet.
    last = (old.filter(pk__lt=first) if first else old).aggregate(last=Max("pk", default=known.entry))["last"]
    settled = fresh.filter(pk__lte=last)
    added = settled.count()
    known.points, known.entry = _added(known.points, settled), last
    known.save(update_fields=["points", "entry"])
    return {"entries": added}


def _added(points: dict[str, int], entries: models.QuerySet[Entry]) -> dict[str, int]:
    sums = dict(points)
    for kind, more in entries.order_by().values_list("kind").annotate(Sum("points")):
        sums[kind] = sums.get(kind, 0) + int(more)
    return sums
