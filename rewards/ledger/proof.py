"""Proves that the ledger adds up."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from time import perf_counter

from django.db import connection, transaction

from loyaltyflow.sql import make_room
from loyaltyflow.store.models import StoreSettings

from ..points import Account, Entry
from ..proofs import Proof
from .checks import CHECKS

MOST_PROBLEMS = 1_000  # of each check, and kept in all: who has more reads the first ones
NIGHTLY_AT = timedelta(hours=2)
KEPT_FOR = timedelta(days=400)


def verify() -> list[str]:
    """What is wrong with the ledger, a sentence each; empty if everything can be proved."""
    return [problem for _name, problems in checked() for problem in problems]


def checked() -> Iterator[tuple[str, list[str]]]:
    """The name of each check, with the sentences of what it found, as soon as it is done.

    All look at one state of the ledger, whatever is written meanwhile.
    """
    is_own_transaction = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_own_transaction:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        make_room("256MB")
        for check in CHECKS:
            problems = f"SELECT problem FROM ({check.sql}) AS wrong (problem) LIMIT %(most)s"
            cursor.execute(problems, {"most": MOST_PROBLEMS, **check.known()})
            yield check.name, [problem for (problem,) in cursor.fetchall()]


def prove(now: datetime) -> Proof:
    """The proof that was made of the whole ledger and kept, with its time."""
    started = perf_counter()
    problems = verify()
    return kept(now, perf_counter() - started, problems)


def kept(now: datetime, seconds: float, problems: list[str]) -> Proof:
    """What the checks found, written down for the dashboard."""
    Proof.objects.filter(at__lt=now - KEPT_FOR).delete()
    known = {
        "seconds": round(seconds, 3),
        "entries": Entry.objects.count(),
        "accounts": Account.objects.count(),
        "problems": problems[:MOST_PROBLEMS],
    }
    return Proof.objects.update_or_create(at=now, defaults=known)[0]


def prove_nightly(now: datetime) -> dict[str, int]:
    """How many problems the night's proof found, at the first tick after 2:00 am on the store's clock."""
    local = StoreSettings.load().local(now)
    night = local.replace(hour=0, minute=0, second=0, microsecond=0) + NIGHTLY_AT
    if local < night or Proof.objects.filter(at__gte=night).exists():
        return {"proved": 0}
    return {"proved": 1, "problems": len(prove(now).problems)}
