from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from time import perf_counter

from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from tqdm import tqdm

from loyaltyflow import tick
from loyaltyflow.models import TickRun
from loyaltyflow.store.events import FeedReader
from loyaltyflow.store.models import Customer, StoreSettings
from rewards import ledger
from rewards.earning import backfill
from workflows.models import Revision

from . import engagement, life, programme

DAYS = 90
LIVELY = 40  # of these days, the last ones: on which staff sold, gave points and took some back
# The ledger is not proved each of those nights: the first tick of the day does it.
STAGES = tuple(stage for stage in tick.STAGES_THAT_DELIVER if stage.name != "ledger.prove")
OPENS_AT = 9

Say = Callable[[str], None]


def build(say: Say, households: int | None = None, days: int = DAYS) -> None:
    """Fill the database with the demo store, or finish what an interrupted run began; nothing is done twice.

    `say` is told each step as a sentence. A smaller store has only so many of the retailer's households, or looks back
    on fewer days. Raises CommandError if the database holds a store of somebody's own.
    """
    store = StoreSettings.load()
    if not store.is_demo and Customer.objects.exists():
        raise CommandError(
            "This database holds customers that are not the demo's, and they are left alone. "
            "Set DATA_DIR to another folder, or DATABASE_URL to an empty database, and try again."
        )
    if not store.is_demo:
        programme.name_the_store(store)
    if not Revision.objects.exists():
        say("Loading a real retailer's year: 2,469 households, 155,848 baskets, 1,469,307 lines …")
        call_command("import_complete_journey", limit_households=households)
        programme.set_up(_opening(store, days))
    _earn(say)
    _replay(store, days, say)
    _prove(say)


def _opening(store: StoreSettings, days: int) -> datetime:
    """The morning, so many days ago, on which the store began with LoyaltyFlow."""
    today = store.local(timezone.now())
    return (today - timedelta(days=days)).replace(hour=OPENS_AT, minute=0, second=0, microsecond=0)


def _earn(say: Say) -> None:
    """Give the points of the year before the opening in one go, so that the first morning need not."""
    opening = _published()
    if FeedReader.objects.filter(name="ledger", occurred_until__isnull=False).exists():
        return
    started = perf_counter()
    totals = backfill.Totals()
    with FeedReader.read("ledger", opening):
        orders = backfill.past(opening - timedelta(days=366), opening)
        say(f"Working out the points of {len(orders):,} purchases before {opening:%b %-d} …")
        with tqdm(total=len(orders), unit=" purchases", leave=False, disable=None) as bar:
            for done in backfill.backfill(orders, opening, totals, is_rehearsal=False):
                bar.update(done)
    seconds = perf_counter() - started
    say(f"{totals.earned:,} points earned by {len(totals.customers):,} members ({seconds:.1f} s).")


def _prove(say: Say) -> None:
    """Prove the ledger, and say so; raises CommandError if it does not add up."""
    say("Proving the points of every customer …")
    proof = ledger.prove(timezone.now())
    if proof.problems:
        raise CommandError("\n".join([proof.said, *proof.problems]))
    say(proof.said)


def _published() -> datetime:
    """When the demo's workflows went live: the store's first morning with LoyaltyFlow."""
    opening = Revision.objects.order_by("published_at").values_list("published_at", flat=True)[0]
    assert opening is not None
    return opening


def _replay(store: StoreSettings, days: int, say: Say) -> None:
    """Run the tick once for each of the mornings that it has not run for yet."""
    mornings = list(_mornings(store, days))
    if not mornings:
        return
    say(f"Replaying {len(mornings)} mornings with the real engine …")
    started = perf_counter()
    last = (store.local(_published()) + timedelta(days=days - 1)).date()
    liveliest = store.local(_published()) + timedelta(days=days - LIVELY)
    for number, (before, morning) in enumerate(mornings, 1):
        engagement.draw(before, morning)
        if morning > liveliest:
            life.live(before, morning, is_last=morning.date() == last)
        record = tick.run(morning, STAGES)
        if record.has_failed:
            raise CommandError(
                "\n".join(f"{stage['name']}: {stage['error']}" for stage in record.stages if stage["error"])
            )
        if number % 10 == 0 or number == len(mornings):
            seconds = perf_counter() - started
            say(f"  {number} of {len(mornings)}, to {morning:%b %-d} ({seconds:.0f} s)")


def _mornings(store: StoreSettings, days: int) -> Iterator[tuple[datetime, datetime]]:
    """The moments to replay, each with the one before it."""
    first = store.local(_published())
    last_run = TickRun.objects.filter(seconds__isnull=False).order_by("-now").values_list("now", flat=True).first()
    for day in range(1, days + 1):
        before, morning = first + timedelta(days=day - 1), first + timedelta(days=day)
        if (last_run is None or morning > last_run) and morning <= timezone.now():
            yield before, morning
