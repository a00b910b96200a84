from asyncio import Event
from collections.abc import Iterator
from logging import WARNING, getLogger
from pathlib import Path
from socket import socket

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from messaging.render import compiled


@pytest.fixture(autouse=True)
def mailbox(settings, tmp_path: Path) -> Path:
    """The mailbox folder that messages are written to, instead of being sent."""
    settings.EMAIL_BACKEND = "messaging.channels.mailbox.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mailbox")
    settings.SITE_URL = "https://club.example.com"
    settings.WHITENOISE_AUTOREFRESH = True  # There is no collected static folder to warn about.
    compiled.cache_clear()
    return tmp_path / "mailbox"


class Sink:
    """A mail server that keeps what it gets, and answers what a test tells it to."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.connections = 0
        self.answers: dict[str, str] = {}
        self.breaks_at: str = ""
        self.falls_silent_after = 0

    async def handle_HELO(self, server: SMTP, session: Session, envelope: Envelope, hostname: str) -> str:
        session.host_name = hostname
        return "250 sink"

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        to = envelope.rcpt_tos[0]
        if to == self.breaks_at:
            self.breaks_at = ""
            server.transport.abort()
            return "250 nobody hears it"
        if to in self.answers:
            return self.answers[to]
        self.envelopes.append(envelope)
        if len(self.envelopes) == self.falls_silent_after:
            await Event().wait()
        return "250 OK"


@pytest.fixture
def sink(settings) -> Iterator[Sink]:
    """A real mail server on a local port, which the settings point to."""
    getLogger("mail.log").setLevel(WARNING)
    handler = Sink()
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    yield handler
    controller.stop()
