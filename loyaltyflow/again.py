"""Writers who get in each other's way begin anew, so that nobody is shown a deadlock."""

from collections.abc import Callable
from random import uniform
from time import sleep
from typing import TypeVar

from django.db import IntegrityError, OperationalError, transaction
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation

TRIES = 6
Result = TypeVar("Result")


class StillInTheWay(Exception):
    """Other writers were faster, or in the way, at every try."""


def again(act: Callable[[], Result]) -> Result:
    """What `act` returns, as one transaction that is tried again when others were faster, or in the way.

    Two writers who wait for each other in a circle, or make the same row at once, get on when one of them begins anew.
    Raises StillInTheWay after the last try, and at once what no other writer explains.
    """
    before = ""
    for number in range(TRIES):
        sleep(uniform(0, 0.02) * number)  # noqa: S311
        try:
            with transaction.atomic():
                return act()
        except (IntegrityError, OperationalError) as error:
            before = _lost(error, before)
    raise StillInTheWay


def _lost(error: IntegrityError | OperationalError, before: str) -> str:
    """The row that another writer made first; empty if they were in the way otherwise.

    Raises the error if nobody else is the cause. Who made a row first has committed it, so the next try sees it: the
    same row that is there `before` and is made again is our own mistake.
    """
    cause = error.__cause__
    if isinstance(cause, DeadlockDetected | SerializationFailure):
        return ""
    row = f"{cause.diag.constraint_name}: {cause.diag.message_detail}" if isinstance(cause, UniqueViolation) else before
    if row == before:
        raise error
    return row
