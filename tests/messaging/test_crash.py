"""Workers that die, and workers that race: real processes, a real mail server, a real database."""

import os
import signal
import subprocess
import sys
from ast import literal_eval
from datetime import timedelta
from time import sleep

import pytest
from django.db import connection

from messaging import outbox
from messaging.models import Message

from . import world

pytestmark = pytest.mark.django_db(transaction=True)

WORKER = """
import os, sys
from datetime import datetime
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(os.environ["SINK_PORT"])
django.setup()
from messaging import outbox
outbox.CLAIM = int(os.environ["CLAIM"])
print(outbox.deliver(datetime.fromisoformat(os.environ["NOW"])), flush=True)
"""


def start(settings, now, claim: int = 20) -> subprocess.Popen:
    """A worker in a process of its own."""
    known = {
        "DJANGO_SETTINGS_MODULE": "loyaltyflow.settings",
        "TEST_DATABASE": connection.settings_dict["NAME"],
        "SINK_PORT": str(settings.EMAIL_PORT),
        "NOW": now.isoformat(),
        "CLAIM": str(claim),
    }
    return subprocess.Popen(
        [sys.executable, "-c", WORKER], env={**os.environ, **known}, cwd=settings.BASE_DIR, stdout=subprocess.PIPE
    )


def recipients(sink) -> list[str]:
    return sorted(envelope.rcpt_tos[0] for envelope in sink.envelopes)


def test_a_killed_worker_leaves_uncertain_messages_that_are_never_sent_twice(settings, sink, now):
    customers = [world.fan(now) for _ in range(200)]
    world.post(world.template(), now, *customers)
    sink.falls_silent_after = 30
    worker = start(settings, now)
    while len(sink.envelopes) < 30 and worker.poll() is None:
        sleep(0.01)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert worker.stdout
    worker.stdout.close()
    handed_over = len(sink.envelopes)
    left = Message.objects.filter(status="sending").count()
    assert handed_over == 30
    assert 0 < left <= 20

    # within the lease nothing is touched; after it the messages are uncertain, and staff decide
    assert outbox.release(now + timedelta(minutes=9))["uncertain"] == 0
    assert outbox.release(now + timedelta(minutes=10))["uncertain"] == left
    outbox.deliver(now + timedelta(minutes=10))

    assert len(set(recipients(sink))) == len(recipients(sink))
    recorded = {status: Message.objects.filter(status=status).count() for status in ("sent", "uncertain")}
    assert recorded == {"sent": 200 - left, "uncertain": left}
    sent = Message.objects.filter(status="sent").values_list("address", flat=True)
    assert set(sent) <= set(recipients(sink))


def test_two_workers_share_the_work_and_send_nothing_twice(settings, sink, now):
    customers = [world.fan(now) for _ in range(120)]
    world.post(world.template(), now, *customers)

    workers = [start(settings, now, claim=7) for _ in range(2)]
    told = [worker.communicate(timeout=90)[0].decode() for worker in workers]

    assert recipients(sink) == sorted(who.email for who in customers)
    assert Message.objects.filter(status="sent").count() == 120
    assert sum(literal_eval(each).get("sent", 0) for each in told) == 120
