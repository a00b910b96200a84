"""The tick as a whole: repeated, overlapping, and with a stage that fails."""

from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from loyaltyflow import tick
from loyaltyflow.models import Answer, ApiKey, TickRun
from messaging.models import Engagement, Message
from rewards.models import Entry
from tests import database, factories
from tests.tick import world
from workflows.models import Enrolment

pytestmark = pytest.mark.django_db(transaction=True)


def test_ticks_over_weeks_enrol_award_and_send(now: datetime) -> None:
    world.populate(now)

    world.run_all(world.days(now))

    assert Enrolment.objects.count() > 10
    assert Message.objects.filter(status="sent").count() > 5
    assert Message.objects.filter(reason="opted_out").count() > 0
    assert Entry.objects.filter(kind="boost").count() > 5
    assert Entry.objects.filter(kind="earn").count() > 50


def test_a_second_tick_for_the_same_moment_changes_no_row(now: datetime) -> None:
    world.populate(now)
    world.run_all(world.days(now, 30))
    sent = Message.objects.went_out().first()
    Engagement.record([Engagement(message=sent, kind=Engagement.Kind.CLICK, at=sent.sent_at)])
    factories.order(sent.customer, sent.sent_at + timedelta(hours=1), "12.00")
    world.run_all([now + timedelta(days=30)])
    before = world.picture()

    world.run_all([now + timedelta(days=30)])

    assert all(before.values())  # there is something of everything that might have changed
    assert world.picture() == before


def test_three_overlapping_ticks_give_the_rows_of_one(now: datetime) -> None:
    world.populate(now)
    moments = world.days(now, 12)
    world.run_all(moments[:4])

    with world.workers(3) as tick_at_once:
        for moment in moments[4:]:
            tick_at_once(moment)
    overlapping = world.picture()

    assert overlapping == alone(now, moments)


def alone(now: datetime, moments: list[datetime]) -> dict[str, list[tuple[object, ...]]]:
    """The picture of the same store when one process does all the work."""
    database.put_back()
    world.populate(now)
    world.run_all(moments)
    return world.picture()


def test_a_stage_that_fails_is_reported_and_stops_only_what_needs_it(now: datetime) -> None:
    done = []

    def broken(moment: datetime) -> dict[str, int]:
        raise ValueError("no such table")

    def works(moment: datetime) -> dict[str, int]:
        done.append(moment)
        return {"rows": 3}

    record = tick.run(
        now,
        [tick.Stage("one", broken), tick.Stage("two", works, needs=("one",)), tick.Stage("three", works)],
    )

    assert record.has_failed
    assert [stage["error"] for stage in record.stages] == [
        "ValueError: no such table",
        "Left out, because it needs one, which failed.",
        "",
    ]
    assert record.stages[2]["counts"] == {"rows": 3}
    assert len(done) == 1


def test_old_records_are_dropped(now: datetime) -> None:
    api_key = ApiKey.issue("Web shop", ["orders"])[0]
    for days in (29, 31):
        at = timezone.now() - timedelta(days=days)
        answer = Answer.objects.create(api_key=api_key, key=f"{days} days", fingerprint="", status=200, body={})
        Answer.objects.filter(pk=answer.pk).update(created_at=at)
        TickRun.objects.filter(pk=tick.run(now, []).pk).update(started_at=at)

    last = tick.run(now, [])

    assert [each.key for each in Answer.objects.all()] == ["29 days"]
    assert TickRun.objects.exclude(pk=last.pk).count() == 1


def test_the_command_refuses_a_moment_before_the_last_tick(now: datetime) -> None:
    tick.run(now, [])

    with pytest.raises(CommandError, match="before the last tick at"):
        call_command("tick", "--now", (now - timedelta(minutes=1)).isoformat())

    assert TickRun.objects.count() == 1


def test_the_command_says_what_it_expects(now: datetime) -> None:
    with pytest.raises(CommandError, match="expects a moment such as 2026-11-23T14:00, .* not “yesterday”"):
        call_command("tick", "--now", "yesterday")


def test_a_tick_leaves_everything_to_one_that_is_at_work(now: datetime) -> None:
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [tick.LOCK])
        left = tick.run(now, [tick.Stage("one", lambda moment: {"rows": 1})])
        cursor.execute("SELECT pg_advisory_unlock(%s)", [tick.LOCK])  # closing would let go of it a moment later
    other.close()
    done = tick.run(now, [tick.Stage("one", lambda moment: {"rows": 1})])

    assert left.stages == []
    assert done.stages[0]["counts"] == {"rows": 1}
    assert TickRun.objects.count() == 1
