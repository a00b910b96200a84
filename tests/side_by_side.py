"""Many processes that do something at the same moment: one parent with everything loaded, which forks them.

Each line on the parent's standard input is a list of what to do, a value for each process. They begin together, and the
parent writes their answers as one line, in the same order.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection

Act = Callable[[Any], Any]
AtOnce = Callable[[Sequence[Any]], list[Any]]


@contextmanager
def processes(module: str) -> Iterator[AtOnce]:
    """A function that returns what processes answer which the module serves, one for each of the values given to it."""
    command = [sys.executable, "-m", module, str(settings.DATABASES["default"]["NAME"])]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, cwd=settings.BASE_DIR, **pipes) as parent:

        def at_once(asked: Sequence[Any]) -> list[Any]:
            parent.stdin.write(json.dumps(asked) + "\n")
            answers: list[Any] = json.loads(parent.stdout.readline())
            assert len(answers) == len(asked)
            return answers

        yield at_once
        parent.stdin.close()
        assert parent.wait(60) == 0


def serve(act: Act) -> None:
    """Answer what is asked until nobody asks any more; for a module that is run."""
    connection.settings_dict["NAME"] = sys.argv[1]
    for line in sys.stdin:
        waiting, go = os.pipe()
        children = [_fork(act, asked, waiting, go) for asked in json.loads(line)]
        os.close(waiting)
        os.close(go)  # nobody can write any more: all of them wake up
        os.write(1, f"[{', '.join(_answer(*child) for child in children)}]\n".encode())


def _fork(act: Act, asked: Any, waiting: int, go: int) -> tuple[int, int]:
    """The id of a new process, and where its answer is read."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        return child, reading
    status = 1
    try:
        os.close(go)
        connection.ensure_connection()
        os.read(waiting, 1)
        with os.fdopen(writing, "w") as answer:
            json.dump(act(asked), answer)
        status = 0
    finally:
        os._exit(status)


def _answer(child: int, reading: int) -> str:
    with os.fdopen(reading) as answer:
        text = answer.read()
    if os.waitpid(child, 0)[1]:
        raise ChildProcessError("One of the processes failed; its error stands above.")
    return text
