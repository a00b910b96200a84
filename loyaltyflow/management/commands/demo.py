import errno
import os
import socket
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from loyaltyflow import demo, embedded, supervisor

HOST = "127.0.0.1"
LOGIN = PASSWORD = "demo"  # known to everyone, which is why it exists on nothing but this machine's own address


class Command(BaseCommand):
    help = "Set up the demo store and serve it on this machine until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        port = os.environ.get("PORT", "8000")
        parser.add_argument("--port", type=int, default=port, help=f"where the pages are served (now: {port})")
        parser.add_argument("--data-only", action="store_true", help="set everything up, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.LOCAL:
            raise CommandError(
                "The demo has a login that everyone knows, so it needs LOCAL=true, as make demo sets it."
            )
        if not options["data_only"]:
            port_must_be_free(options["port"])
        try:
            self._set_up()
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped. What is done is kept, and the next run goes on from there.", returncode=130
            ) from None
        if options["data_only"]:
            self._say("The demo store is ready. Serve it with: make demo")
        else:
            self._serve(options["port"])
        connections.close_all()
        embedded.leave()

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()

    def _set_up(self) -> None:
        self._say("Preparing the database …")
        call_command("migrate", verbosity=0)
        demo.build(self._say)
        user, is_new = User.objects.get_or_create(username=LOGIN, defaults={"is_staff": True, "is_superuser": True})
        if is_new:
            user.set_password(PASSWORD)
            user.save(update_fields=["password"])

    def _serve(self, port: int) -> None:
        address = f"http://{HOST}:{port}"
        self._say("Starting web and worker …")
        try:
            supervisor.run(
                programs(port),
                f"{address}/login/",
                lambda: self._say(f"Ready: {address}/ - log in as {LOGIN} with password {PASSWORD} (Ctrl-C stops it)"),
            )
        except supervisor.ProgramFailed as failure:
            raise CommandError(str(failure)) from failure
        self._say("\nStopped. The data are kept for the next make demo.")


def port_must_be_free(port: int) -> None:
    """Raise CommandError, saying how to choose another, if the port cannot be served."""
    other = f"Choose another: PORT={port + 1 if port < 65535 else 8000} make demo"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OverflowError:
            raise CommandError(f"PORT must be between 1 and 65535, not {port}. Try: PORT=8001 make demo") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CommandError(f"Port {port} is taken by another program. {other}") from error
            raise CommandError(f"Port {port} cannot be served: {error.strerror}. {other}") from error


def programs(port: int) -> list[supervisor.Program]:
    """Web and worker, as they run in production but for their sizes, each with its log in the data folder."""
    web = ["-m", "gunicorn", "loyaltyflow.wsgi", "--bind", f"{HOST}:{port}", "--workers", "2", "--threads", "4"]
    worker = [str(settings.BASE_DIR / "manage.py"), "qcluster"]
    return [
        supervisor.Program(name, [sys.executable, *command], settings.DATA_DIR / f"{file}.log")
        for name, file, command in (("web server", "web", web), ("worker", "worker", worker))
    ]
