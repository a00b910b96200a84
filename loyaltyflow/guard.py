"""Ends the programs of a supervisor that was killed before it could do so itself. Run by `supervisor.py`.

It reads the numbers of process groups, a line each. The pipe ends with the supervisor, however that ends.
"""

import os
import signal
import sys
import time
from contextlib import suppress

SECONDS_TO_END = 10


def main() -> None:
    """Ask the groups to end once the pipe has ended; then end them."""
    groups = [int(line) for line in sys.stdin]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for group in groups:
            with suppress(ProcessLookupError):
                os.killpg(group, number)
        if number == signal.SIGTERM:
            time.sleep(SECONDS_TO_END)


if __name__ == "__main__":
    main()
