"""Processes that move points at the same time: one parent with everything loaded, which forks them.

Each line on its standard input is a job: for each process a list of what it does, one after the other. All of them
begin together; each answers with `spent <points>` or `refused <points>` for what it did, and `over <failed>` tells that
all are through.
"""

import json
import os
import sys

import django


def serve() -> None:
    """Do the jobs that are asked for until nobody asks any more."""
    for line in sys.stdin:
        waiting, go = os.pipe()
        children = [fork(each, waiting, go) for each in json.loads(line)]
        os.close(waiting)
        os.close(go)  # nobody can write any more: all of them wake up
        ends = [os.waitpid(child, 0)[1] for child in children]
        os.write(1, f"over {sum(end != 0 for end in ends)}\n".encode())


def fork(todo: list[dict], waiting: int, go: int) -> int:
    """The process id of a new spender."""
    if child := os.fork():
        return child
    status = 1
    try:
        os.close(go)
        connection.ensure_connection()
        os.read(waiting, 1)
        for each in todo:
            os.write(1, f"{moved(**each)} {each['points']}\n".encode())
        status = 0
    finally:
        os._exit(status)


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
    from django.db import connection
    from django.utils import timezone

    from rewards import ledger
    from rewards.bill import Refused

    connection.settings_dict["NAME"] = sys.argv[1]
    serve()
