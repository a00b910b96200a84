"""A small store with both workflows of the demo at work, and a picture of all that came of it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Model, QuerySet

from analytics.models import Conversion, DailyFigure
from loyaltyflow import tick
from loyaltyflow.demo import programme
from loyaltyflow.store.models import Event, StoreSettings
from messaging.models import Message
from rewards.models import Account, Entry, Lot
from segments.models import Membership, Recheck
from tests import factories
from workflows.models import Enrolment, Step

DAYS = 45


def populate(start: datetime, customers: int = 60) -> None:
    """Customers of Massachusetts and around who buy now and then for 45 days before `start` and after."""
    chance = Random(7)
    programme.name_the_store(StoreSettings.load())
    programme.set_up(start)
    for number in range(customers):
        joined = start + timedelta(days=chance.randrange(-40, 40), hours=chance.randrange(24))
        who = factories.customer(
            email=f"customer-{number}@example.com", state=chance.choice(["MA", "MA", "NH"]), loyalty_joined_at=joined
        )
        factories.consent(who, start - timedelta(days=100), chance.choice(["opted_in", "opted_in", "opted_out"]))
        for _ in range(chance.randrange(6)):
            at = start + timedelta(days=chance.randrange(-DAYS, DAYS), minutes=chance.randrange(1440))
            factories.order(who, at, f"{chance.randrange(1, 90)}.95")


def days(start: datetime, count: int = DAYS) -> list[datetime]:
    return [start + timedelta(days=number) for number in range(1, count + 1)]


def run_all(moments: list[datetime]) -> None:
    for moment in moments:
        record = tick.run(moment, tick.STAGES_THAT_DELIVER)
        assert not record.has_failed, record.stages


def picture() -> dict[str, list[tuple[object, ...]]]:
    """Every row that a tick writes, by what it says and not by its number, in a fixed order."""
    return {
        "members": _rows(Membership.objects, "segment__name", "customer__email", "joined_at", "left_at"),
        "rechecks": _rows(Recheck.objects, "segment__name", "customer__email", "due_at"),
        "enrolments": _rows(
            Enrolment.objects,
            *(
                "workflow__name",
                "customer__email",
                "node__polymorphic_ctype__model",
                "status",
                "outcome",
                "entered_at",
                "arrived_at",
                "ended_at",
            ),
        ),
        "steps": _rows(
            Step.objects,
            "enrolment__customer__email",
            "node__polymorphic_ctype__model",
            "arrived_at",
            "left_at",
            "outlet",
        ),
        "messages": _rows(
            Message.objects, "template__name", "customer__email", "status", "reason", "due_at", "sent_at"
        ),
        "entries": _rows(Entry.objects, "customer__email", "kind", "points", "explanation", "occurred_at"),
        "lots": _rows(Lot.objects, "customer__email", "points", "remaining", "earned_at"),
        "accounts": _rows(Account.objects, "customer__email", "balance"),
        "conversions": _rows(Conversion.objects, "order__external_id", "message__template__name", "touch"),
        "figures": _rows(
            DailyFigure.objects, "day", "campaign__name", "sent", "opens", "clicks", "blocked", "conversions", "revenue"
        ),
        "events": _rows(Event.objects, "name", "customer__email", "occurred_at"),
    }


def _rows(of: "QuerySet[Model] | object", *fields: str) -> list[tuple[object, ...]]:
    return sorted(of.values_list(*fields), key=repr)  # type: ignore[attr-defined]


@contextmanager
def workers(count: int) -> Iterator[Callable[[datetime], None]]:
    """A function that lets so many processes run the tick for a moment at once, and returns when all are done."""
    command = [sys.executable, "-m", "tests.tick.worker", str(connection.settings_dict["NAME"])]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, cwd=settings.BASE_DIR, **pipes) for _ in range(count)]

    def run(moment: datetime) -> None:
        for process in processes:
            process.stdin.write(f"{moment.isoformat()}\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        assert [process.stdout.readline() for process in processes] == ["done\n"] * count  # type: ignore[union-attr]

    try:
        yield run
    finally:
        for process in processes:
            process.communicate()
