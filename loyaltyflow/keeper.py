"""Waits until no process uses the embedded PostgreSQL server any more, then stops it.

`embedded.py` starts it as a process of its own, so that the server is stopped however its users end, SIGKILL included.
"""

import fcntl
import os
import subprocess
import sys
from typing import Any


def main(users_path: str, keeper_lock: int, as_owner: dict[str, Any], stop: list[str]) -> None:
    """Run the command `stop` as the server's owner once nobody holds the lock on `users_path`."""
    if os.fork():
        return  # whoever starts the keeper need not wait for it
    users = os.open(users_path, os.O_RDWR)
    fcntl.flock(users, fcntl.LOCK_EX)
    if is_still_at(users, users_path):
        subprocess.run(stop, check=False, **as_owner)
    # Let go of the keeper's lock first: who gets the users' lock next must find that a new keeper is needed.
    os.close(keeper_lock)
    os.close(users)


def is_still_at(file: int, path: str) -> bool:
    """Whether the open file is the one at `path`; it is not when the data folder was removed and made anew."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    path, lock, uid, gid, *command = sys.argv[1:]
    owner = {"user": int(uid), "group": int(gid), "extra_groups": []} if os.geteuid() == 0 else {}
    main(path, int(lock), owner, command)
