"""Runs several programs as one: they start together, and end together however that comes about."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from loyaltyflow import guard

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS_TO_START = 60
SECONDS_TO_STOP = 20


class ProgramFailed(Exception):
    """A program ended by itself or never answered; the text says which, and where its log is."""


@dataclass(frozen=True)
class Program:
    """A command and the file that takes what it prints."""

    name: str
    command: list[str]
    log: Path


def run(programs: list[Program], url: str, when_ready: Callable[[], None]) -> None:
    """Run the programs until Ctrl-C or SIGTERM, and stop them all; `when_ready` is called once `url` answers.

    Raises ProgramFailed, after all have been stopped, when one of them ends by itself or `url` does not answer.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt_once)
    running: list[tuple[Program, subprocess.Popen[bytes]]] = []
    with _guarded() as tell, suppress(KeyboardInterrupt):
        try:
            for program in programs:
                running.append((program, _start(program)))
                tell(running[-1][1].pid)
            _wait_for(url, running)
            when_ready()
            while True:
                _look_after(running)
                time.sleep(0.5)
        finally:
            _stop([process for _, process in running])


def _interrupt_once(*_: object) -> None:
    """Raise KeyboardInterrupt; a second signal, while the programs are being stopped, must not cut that short."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def _guarded() -> Iterator[Callable[[int], None]]:
    """Gives a function that takes the process groups to end if we are killed."""
    watch = subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__], stdin=subprocess.PIPE, text=True, start_new_session=True
    )
    assert watch.stdin

    def tell(group: int) -> None:
        assert watch.stdin
        print(group, file=watch.stdin, flush=True)  # noqa: T201

    try:
        yield tell
    finally:
        watch.kill()
        watch.wait()
        watch.stdin.close()


def _start(program: Program) -> subprocess.Popen[bytes]:
    with program.log.open("wb") as log:
        return subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal reaches us alone, and we stop the programs in order
        )


def _wait_for(url: str, running: list[tuple[Program, subprocess.Popen[bytes]]]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not _answers(url):
        _look_after(running)
        if time.monotonic() > deadline:
            logs = " and ".join(str(program.log) for program, _ in running)
            raise ProgramFailed(f"{url} did not answer within {SECONDS_TO_START} seconds; see {logs}.")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _look_after(running: list[tuple[Program, subprocess.Popen[bytes]]]) -> None:
    for program, process in running:
        if process.poll() is not None:
            last = "\n".join(program.log.read_text(errors="replace").splitlines()[-8:])
            raise ProgramFailed(
                f"The {program.name} ended by itself (exit code {process.returncode}). {program.log} ends with:\n{last}"
            )


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask all to end, wait, and end what has not."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + SECONDS_TO_STOP
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
