"""What `make demo` promises about its processes, with real ones."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from loyaltyflow import supervisor

SUPERVISOR = """
import sys
from pathlib import Path
from loyaltyflow import supervisor
from loyaltyflow.supervisor import Program, ProgramFailed, run
supervisor.SECONDS_TO_STOP = 2
port, folder, worker = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
web = [sys.executable, "-m", "http.server", port, "--bind", "127.0.0.1"]
programs = [Program("web server", web, folder / "web.log"),
            Program("worker", [sys.executable, "-c", worker, port], folder / "worker.log")]
try:
    run(programs, f"http://127.0.0.1:{port}/", lambda: print("ready", flush=True))
except ProgramFailed as failure:
    sys.exit(str(failure))
"""
# Like django-q's cluster: a process that has children of its own.
WORKER = "import os, time; os.fork(); time.sleep(600)"
DEAF_WORKER = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
CRASHING_WORKER = """
import os, time
while not os.path.exists({flag!r}):
    time.sleep(0.05)
raise SystemExit('no database at all')
"""

Supervise = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def supervise(tmp_path: Path, port: int) -> Iterator[Supervise]:
    """Starts a supervisor of a web server and the given worker, and waits for its ready line."""
    started: list[subprocess.Popen[str]] = []

    def start(worker: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SUPERVISOR, str(port), str(tmp_path), worker]
        root = Path(supervisor.__file__).parent.parent
        process = subprocess.Popen(command, text=True, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def family(process: subprocess.Popen[str], count: int = 3) -> list[psutil.Process]:
    """Web server, guard and worker, and what these have started; waited for until there are so many."""
    deadline = time.monotonic() + 60
    while len(found := psutil.Process(process.pid).children(recursive=True)) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def alive(processes: list[psutil.Process], seconds: float = 0) -> list[psutil.Process]:
    """Those that still run after so many seconds; one that has ended but was not waited for does not."""
    deadline = time.monotonic() + seconds
    while True:
        left = [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_program(number: signal.Signals, supervise: Supervise) -> None:
    process = supervise(WORKER)
    programs = family(process, 4)

    process.send_signal(number)
    process.wait(60)

    assert len(programs) == 4, "web, guard, worker and the worker's child"
    assert process.returncode == 0
    assert alive(programs) == []


def test_the_programs_end_when_the_supervisor_is_killed(supervise: Supervise) -> None:
    process = supervise(WORKER)
    programs = family(process, 4)
    guard = [each for each in programs if "guard.py" in " ".join(each.cmdline())]

    process.kill()

    assert len(guard) == 1
    assert alive([each for each in programs if each not in guard], seconds=60) == []


def test_a_deaf_program_is_ended_after_a_while(supervise: Supervise) -> None:
    process = supervise(DEAF_WORKER)
    programs = family(process)

    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.wait(60)

    assert process.returncode == 0
    assert alive(programs) == []


def test_a_program_that_ends_by_itself_stops_the_others_and_is_named(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise(CRASHING_WORKER.format(flag=str(tmp_path / "crash")))
    programs = family(process)

    (tmp_path / "crash").touch()
    _, said = process.communicate(timeout=60)

    assert process.returncode == 1
    assert f"The worker ended by itself (exit code 1). {tmp_path / 'worker.log'} ends with:" in said
    assert "no database at all" in said
    assert alive(programs) == []


def test_a_taken_port_is_refused_before_any_work(port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()

        with pytest.raises(CommandError, match=f"Port {port} is taken by another program. Choose another: PORT="):
            call_command("demo", port=port)  # any work would need the database, which this test has no access to


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(CommandError, match="PORT must be between 1 and 65535"):
        call_command("demo", port=port)


def test_the_demo_is_refused_in_production(settings) -> None:
    settings.LOCAL = False

    with pytest.raises(CommandError, match="it needs LOCAL=true"):
        call_command("demo")
