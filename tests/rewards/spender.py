"""Processes that move points at the same time: each is given a list of what it does, one after the other."""

import django

from tests.side_by_side import serve


def moved(customer: int, points: int, key: str, to: int | None = None) -> str:
    """Whether so many points were spent or went to somebody else, or that was refused."""
    now = timezone.now()
    try:
        if to is None:
            ledger.redeem(customer, points, key=key, explanation="Money off", now=now)
        else:
            ledger.transfer(customer, to, points, key=key, now=now)
    except Refused:
        return "refused"
    return "spent"


if __name__ == "__main__":
    django.setup()
    from django.utils import timezone

    from rewards import ledger
    from rewards.bill import Refused

    serve(lambda todo: [[moved(**each), each["points"]] for each in todo])
