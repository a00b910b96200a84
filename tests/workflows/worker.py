"""A worker process for tests that kill it: one long-lived parent with everything loaded, which forks the worker.

Each line on its standard input is a job: how many workers at once, and the moments to work through. It answers with
`worker <process id>` for each, `done <moment>` after each finished moment, and at the end `over <failed>,<killed>`:
how many of them failed by themselves, and how many were killed.
"""

import json
import os
import signal
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import django


def work(moments: list[str], batch: int) -> None:
    """One worker's life: for each moment what the tick does about points and workflows."""
    engine.BATCH = batch
    for moment in moments:
        now = datetime.fromisoformat(moment).astimezone(ZoneInfo("America/New_York"))
        earning.settle(now)
        engine.enrol(now)
        failed = engine.advance(now)["failed"]
        Message.objects.filter(status="pending", customer__state="MA").update(status="sent", sent_at=now)
        assert not failed
        os.write(1, f"done {moment}\n".encode())


def fork(moments: list[str], batch: int) -> int:
    """The process id of a new worker."""
    if child := os.fork():
        return child
    status = 1
    try:
        work(moments, batch)
        status = 0
    finally:
        os._exit(status)


def serve() -> None:
    """Start the workers that are asked for, and wait for them, until nobody asks any more."""
    for line in sys.stdin:
        job = json.loads(line)
        children = [fork(job["moments"], job["batch"]) for _ in range(job["workers"])]
        for child in children:
            os.write(1, f"worker {child}\n".encode())
        ends = [os.waitpid(child, 0)[1] for child in children]
        killed = sum(os.WIFSIGNALED(each) and os.WTERMSIG(each) == signal.SIGKILL for each in ends)
        failed = sum(each != 0 for each in ends) - killed
        os.write(1, f"over {failed},{killed}\n".encode())


if __name__ == "__main__":
    django.setup()
    from django.db import connection

    from messaging.models import Message
    from rewards import earning
    from workflows import engine

    connection.settings_dict["NAME"] = sys.argv[1]
    serve()
