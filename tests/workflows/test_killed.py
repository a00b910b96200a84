"""Workers that are killed, and workers that get in each other's way, leave the same rows as one that is left alone."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
from django.db import connection

from loyaltyflow.store.models import Event, FeedReader
from messaging.models import Message
from rewards import ledger
from rewards.models import Account, Entry, Lot
from rewards.rules.points_per_spend import PointsPerSpend
from segments.models import Segment
from tests import factories
from workflows.conditions import BoughtSince, GotMessage
from workflows.models import Enrolment, Step
from workflows.nodes.award_points import AwardPoints
from workflows.nodes.if_ import If
from workflows.nodes.wait import Wait

from . import flows

pytestmark = pytest.mark.django_db(transaction=True)

CUSTOMERS = 60
KILLS = 50 if hypothesis.settings.default.max_examples > 3 else 15
BATCH = 16
UNHURT = ["0,0"]
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
MOMENTS = [START + timedelta(hours=20 * number) for number in range(1, 6)]


def welcome():
    draft = flows.workflow(reentry="every_time").draft()
    gift, mail = AwardPoints.objects.create(revision=draft, points=100), flows.email(draft)
    bought = If.objects.create(revision=draft, condition=BoughtSince.objects.create(step=mail))
    bought.leads_to(flows.end(draft, "Bought"), "yes")
    got = If.objects.create(revision=draft, condition=GotMessage.objects.create(step=mail))
    bought.leads_to(got, "no")
    finish = flows.end(draft, "Did not buy")
    got.leads_to(flows.email(draft, "Reminder"), "yes").leads_to(finish)
    got.leads_to(finish, "no")
    flows.live(START, flows.on_event(draft), gift, mail, Wait.objects.create(revision=draft, amount=1), bought)


def thank_you():
    draft = flows.workflow(reentry="after_days", reentry_days=2).draft()
    hours = Wait.objects.create(revision=draft, amount=9, unit="hours")
    gift = AwardPoints.objects.create(revision=draft, points=7)
    flows.live(START, flows.on_event(draft, "order_completed"), hours, gift, flows.email(draft), flows.end(draft))


def stay(segment):
    draft = flows.workflow().draft()
    wait = Wait.objects.create(revision=draft, amount=2)
    flows.live(START, flows.on_segment(draft, segment), flows.email(draft), wait, flows.email(draft), flows.end(draft))


@pytest.fixture
def shop():
    """Customers who join, buy, enter a segment and leave it over four days, and three workflows about it."""
    chance = random.Random(7)
    segment = Segment.objects.create(name="Regulars", kind=Segment.Kind.STATIC)
    PointsPerSpend.objects.create(name="Earn", starts_at=START)
    welcome()
    thank_you()
    stay(segment)

    def moment():
        return START + timedelta(minutes=chance.randrange(4 * 24 * 60))

    for number in range(CUSTOMERS):
        who = factories.customer(state="MA" if number % 2 else "NY", loyalty_joined_at=START)
        flows.join(who, moment())
        for _ in range(chance.randrange(4)):
            factories.order(who, moment(), f"{chance.randrange(1, 90)}.50")
        if number % 3 == 0:
            entered, left = sorted((moment(), moment()))
            flows.enter(who, segment, entered)
            if number % 2:
                flows.leave(who, segment, left)


class Workers:
    """The parent of the workers, spoken to by lines."""

    def __init__(self):
        command = [sys.executable, "-m", "tests.workflows.worker", connection.settings_dict["NAME"]]
        root = Path(__file__).resolve().parents[2]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        self.process = subprocess.Popen(command, cwd=root, **pipes)

    def start(self, moments, workers=1):
        """The process ids of new workers."""
        job = {"moments": [each.isoformat() for each in moments], "workers": workers, "batch": BATCH}
        self.process.stdin.write(json.dumps(job) + "\n")

    def lines(self):
        """What the workers say until all of them are gone."""
        for line in self.process.stdout:
            word, value = line.split()
            yield word, value
            if word == "over":
                return

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(60) == 0


@pytest.fixture
def workers():
    made = Workers()
    yield made
    made.close()


def run(workers, moments, count=1):
    """Let workers work through the moments, undisturbed by us; how many of them failed, and were killed."""
    workers.start(moments, count)
    return [value for word, value in workers.lines() if word == "over"]


def run_and_kill(workers, moments, delay):
    """The moments that are left, and whether the worker was killed, `delay` seconds after it began."""
    left = [each.isoformat() for each in moments]
    workers.start(moments)
    killed = 0
    for word, value in workers.lines():
        if word == "worker":
            timer = threading.Timer(delay, kill, [int(value)])
            timer.start()
        elif word == "done":
            left.remove(value)
        else:
            failed, killed = map(int, value.split(","))
            assert not failed
    timer.cancel()
    timer.join()
    until_its_session_is_gone()
    return [datetime.fromisoformat(each) for each in left], bool(killed)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def until_its_session_is_gone():
    """What it was about is taken back by then; those are idle whom a browser of another test still keeps."""
    others = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND state <> 'idle'
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(others)
            if not cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("The killed worker's database session did not end.")


WRITTEN = ("points_given", "points_earned", "workflow_entered", "workflow_left")


def forget():
    """Put everything back to before the first moment."""
    tables = [model._meta.db_table for model in (Step, Enrolment, Message, Lot, Entry, Account, FeedReader)]
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
    Event.objects.named(*WRITTEN).delete()


def everything():
    """All that the engine and the ledger wrote, without the numbers of rows, which depend on the attempts."""
    walk = ("workflow", "customer", "entered_at", "entry_event__key")
    state = ("node", "status", "outcome", "arrived_at", "due_at", "ended_at")
    visits = Enrolment.objects.in_bulk()
    messages = [
        (each.origin, each.customer_id, visits[each.visit].entered_at, each.due_at, each.status, each.sent_at)
        for each in Message.objects.all()
    ]
    steps = Step.objects.values_list(
        *(f"enrolment__{each}" for each in walk), "node", "outlet", "arrived_at", "left_at"
    )
    entries = Entry.objects.values_list(
        "customer", "kind", "points", "occurred_at", "order", "explanation", "rule__rule"
    )
    told = Event.objects.named(*WRITTEN)
    return {
        "enrolments": rows(Enrolment.objects.values_list(*walk, *state)),
        "steps": rows(steps),
        "messages": rows(messages),
        "entries": rows(entries),
        "lots": rows(Lot.objects.values_list("customer", "points", "remaining", "earned_at")),
        "balances": rows(Account.objects.values_list("customer", "balance")),
        "events": rows(told.values_list("name", "customer", "occurred_at", "properties__points")),
    }


def rows(found):
    return sorted(map(repr, found))


def undisturbed(workers):
    """What one worker leaves that is left alone, and how long it took."""
    started = time.monotonic()
    assert run(workers, MOMENTS) == UNHURT
    seconds = time.monotonic() - started
    expected = everything()
    assert min(len(written) for written in expected.values()) >= CUSTOMERS
    forget()
    return expected, seconds


def test_killing_the_worker_at_any_moment_changes_nothing(shop, workers):
    expected, seconds = undisturbed(workers)
    chance = random.Random(11)
    kills = 0
    while kills < KILLS:
        left = MOMENTS
        while left:
            delay = chance.uniform(0, seconds / 6) if kills < KILLS else 60
            left, was_killed = run_and_kill(workers, left, delay)
            kills += was_killed
        assert everything() == expected
        assert ledger.verify() == []
        forget()


def test_three_workers_at_once_leave_what_one_leaves_and_once_more_changes_no_row(shop, workers):
    expected, _ = undisturbed(workers)
    for moment in MOMENTS:
        assert run(workers, [moment], 3) == UNHURT
    assert everything() == expected
    assert ledger.verify() == []

    written = (Enrolment, Step, Message, Entry, Lot, Account)
    before = [list(model.objects.order_by("pk").values()) for model in written]
    assert run(workers, MOMENTS) == UNHURT
    assert [list(model.objects.order_by("pk").values()) for model in written] == before
