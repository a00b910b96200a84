"""Writers who get in each other's way begin anew, so that nobody is shown a deadlock."""

from collections.abc import Callable
from random import uniform
from time import sleep
from typing import TypeVar

from django.db import IntegrityError, OperationalError, transaction

TRIES = 6
Result = TypeVar("Result")


def again(act: Callable[[], Result]) -> Result:
    """What `act` returns, as one transaction that is tried again when others were faster, or in the way.

    Two writers who wait for each other in a circle, or make the same row at once, get on when one of them begins anew.
    Raises what it raised at the last try.
    """
    for number in range(1, TRIES):
        try:
            with transaction.atomic():
                return act()
        except (IntegrityError, OperationalError):
            sleep(uniform(0, 0.02) * number)  # noqa: S311
    with transaction.atomic():
        return act()
