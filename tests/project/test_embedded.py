"""The embedded PostgreSQL, started and left by real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.core.exceptions import ImproperlyConfigured

from loyaltyflow import embedded

USER = """
import os, sys, time
from pathlib import Path
from loyaltyflow import embedded
host = embedded.start(Path(sys.argv[1]), "shop", is_durable=False)["HOST"]
if sys.argv[2] == "fork" and os.fork():
    time.sleep(600)  # only the child goes on
print(host, flush=True)
sys.stdin.read()
"""
StartUser = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start_user(tmp_path: Path) -> Iterator[StartUser]:
    """Starts a process that uses the server in a folder until its standard input ends."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path = tmp_path / "postgres", how: str = "plain") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", USER, str(folder), how]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, cwd=Path(embedded.__file__).parent.parent, **pipes))
        return started[-1]

    yield start
    for process in started:
        with process:
            process.kill()


def host(process: subprocess.Popen[str]) -> str:
    """The folder of the socket, once the process has its server."""
    assert process.stdout
    assert process.stderr
    return process.stdout.readline().strip() or pytest.fail(process.stderr.read())


def server(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))


def test_many_processes_start_one_server_and_the_last_stops_it(tmp_path: Path, start_user: StartUser) -> None:
    folder = tmp_path / "postgres"

    users = [start_user() for _ in range(6)]
    hosts = {host(user) for user in users}
    for user in users[1:]:
        user.communicate()

    assert hosts == {str(folder)}
    assert not embedded.wait_until_stopped(folder, patience=1), "one process still uses it"
    users[0].communicate()
    assert embedded.wait_until_stopped(folder)


def test_the_server_stops_after_its_users_were_killed(tmp_path: Path, start_user: StartUser) -> None:
    users = [start_user(), start_user()]
    for user in users:
        host(user)

    for user in users:
        user.kill()

    assert embedded.wait_until_stopped(tmp_path / "postgres")


def test_a_forked_child_keeps_the_server_after_its_parent_ends(tmp_path: Path, start_user: StartUser) -> None:
    parent = start_user(how="fork")
    host(parent)

    parent.kill()
    parent.wait()

    assert not embedded.wait_until_stopped(tmp_path / "postgres", patience=1)
    assert parent.stdin
    parent.stdin.close()  # which ends the child
    assert embedded.wait_until_stopped(tmp_path / "postgres")


def test_a_process_that_comes_as_the_last_one_leaves_gets_a_server(start_user: StartUser) -> None:
    for _ in range(4):
        user = start_user()
        host(user)
        user.kill()
    assert host(start_user())


@pytest.mark.parametrize("number_is_of", ["a program that runs", "nobody"])
def test_a_number_left_by_a_crash_is_not_taken_for_the_server(
    number_is_of: str, tmp_path: Path, start_user: StartUser
) -> None:
    folder = tmp_path / "postgres"
    user = start_user()
    host(user)
    left = (folder / "postmaster.pid").read_text().splitlines()
    server(folder).send_signal(signal.SIGQUIT)
    assert embedded.wait_until_stopped(folder)
    user.communicate()
    left[0] = str(os.getpid() if number_is_of == "a program that runs" else 2**22 + 1)
    (folder / "postmaster.pid").write_text("\n".join(left) + "\n")

    assert host(start_user()) == str(folder)
    assert server(folder).pid != int(left[0])


@pytest.mark.parametrize("name", ["with a space", "with 'quotes'", "one,two", "deep/" * 20])
def test_any_name_of_a_folder_will_do(name: str, tmp_path: Path, start_user: StartUser) -> None:
    folder = tmp_path / name / "postgres"

    at = Path(host(start_user(folder)))

    assert at.is_dir()
    assert len(os.fsencode(at)) < 90 or at == folder
    assert (folder / "PG_VERSION").read_text() == "18\n"


def test_a_half_made_cluster_is_made_again(tmp_path: Path, start_user: StartUser) -> None:
    half = tmp_path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")

    assert host(start_user()) == str(tmp_path / "postgres")
    assert not half.exists()


def test_removed_data_are_made_anew(tmp_path: Path, start_user: StartUser) -> None:
    user = start_user()
    host(user)
    old = server(tmp_path / "postgres")
    subprocess.run(["rm", "-rf", *tmp_path.iterdir()], check=True)

    host(start_user())
    new = server(tmp_path / "postgres")
    user.kill()
    user.wait()
    time.sleep(1)

    assert new != old
    assert new.is_running(), "the keeper of the removed server must leave the new one alone"
    old.kill()


@pytest.mark.parametrize(
    ("_case", "file", "text", "sentence"),
    [
        ("someone's files", "notes.txt", "dear diary", "holds other files than PostgreSQL's. Set DATA_DIR"),
        (
            "an older PostgreSQL",
            "PG_VERSION",
            "16\n",
            "was made by PostgreSQL 16, and this is 18. Move the folder away",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(
    _case: str, file: str, text: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / file).write_text(text)

    with pytest.raises(ImproperlyConfigured, match=sentence):
        embedded.start(tmp_path / "postgres", "shop")

    assert [each.name for each in (tmp_path / "postgres").iterdir()] == [file]
    assert (tmp_path / "postgres" / file).read_text() == text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it as another user")
def test_another_users_folder_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    code = f"""
import os; from pathlib import Path; from loyaltyflow import embedded
os.setgroups([]); os.setgid(65534); os.setuid(65534)
embedded.start(Path({str(tmp_path / "postgres")!r}), "shop")
"""

    root = Path(embedded.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "Run this as the user who made it, remove it, or set DATA_DIR to a folder of your own." in done.stderr
