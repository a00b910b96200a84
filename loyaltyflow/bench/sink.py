"""A mail server that counts what it is given and keeps nothing, in a process of its own."""

import asyncio
import logging
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Counter:
    """Says yes to every message."""

    def __init__(self) -> None:
        self.messages = self.bytes = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.messages += 1
        self.bytes += len(envelope.content or b"")
        return "250 OK"


class Sink:
    """The running server: its port, and what it has received since it was asked last."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        self.port: int = self._ours.recv()

    def received(self) -> tuple[int, int]:
        """Messages and bytes that came since the last question."""
        self._ours.send("received")
        answer: tuple[int, int] = self._ours.recv()
        return answer

    def stop(self) -> None:
        """End the process."""
        self._ours.send("stop")
        self._process.join(10)


def _serve(pipe: "Connection[Any, Any]") -> None:
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    asyncio.run(_answer(pipe))


async def _answer(pipe: "Connection[Any, Any]") -> None:
    counter = Counter()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(counter, hostname="localhost", loop=loop), "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    while await loop.run_in_executor(None, pipe.recv) == "received":
        pipe.send((counter.messages, counter.bytes))
        counter.messages = counter.bytes = 0
    server.close()
