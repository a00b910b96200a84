from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from loyaltyflow import tick
from loyaltyflow.models import TickRun
from loyaltyflow.store.models import Customer, StoreSettings
from workflows.models import Revision

from . import engagement, programme

DAYS = 90
# The ledger is not proved each of those nights: the first tick of the day does it.
STAGES = tuple(stage for stage in tick.STAGES_THAT_DELIVER if stage.name != "ledger.prove")
OPENS_AT = 9

Say = Callable[[str], None]


def build(say: Say) -> None:
    """Fill the database with the demo store, or finish what an interrupted run began; nothing is done twice.

    `say` is told each step as a sentence. Raises CommandError if the database holds a store of somebody's own.
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
        call_command("import_complete_journey")
        programme.set_up(_opening(store))
    _replay(store, say)


def _opening(store: StoreSettings) -> datetime:
    """The morning, 90 days ago, on which the store began with LoyaltyFlow."""
    today = store.local(timezone.now())
    return (today - timedelta(days=DAYS)).replace(hour=OPENS_AT, minute=0, second=0, microsecond=0)


def _replay(store: StoreSettings, say: Say) -> None:
    """Run the tick once for each of the 90 mornings that it has not run for yet."""
    mornings = list(_mornings(store))
    for number, (before, morning) in enumerate(mornings, 1):
        engagement.draw(before, morning)
        record = tick.run(morning, STAGES)
        if record.has_failed:
            raise CommandError(
                "\n".join(f"{stage['name']}: {stage['error']}" for stage in record.stages if stage["error"])
            )
        if number % 10 == 0 or number == len(mornings):
            say(
                f"Replaying the last {DAYS} days with the real engine: {number} of {len(mornings)}, to {morning:%b %-d}"
            )


def _mornings(store: StoreSettings) -> Iterator[tuple[datetime, datetime]]:
    """The moments to replay, each with the one before it."""
    opening = Revision.objects.order_by("published_at").values_list("published_at", flat=True)[0]
    assert opening is not None
    first = store.local(opening)
    last_run = TickRun.objects.filter(seconds__isnull=False).order_by("-now").values_list("now", flat=True).first()
    for day in range(1, DAYS + 1):
        before, morning = first + timedelta(days=day - 1), first + timedelta(days=day)
        if (last_run is None or morning > last_run) and morning <= timezone.now():
            yield before, morning
