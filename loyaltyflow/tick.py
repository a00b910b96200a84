"""The tick: once a minute, everything that follows from the facts known so far."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from typing import TypedDict

from django.db import connection
from django.utils import timezone

from analytics import attribution, figures
from loyaltyflow.models import Answer, TickRun
from loyaltyflow.store import carts
from loyaltyflow.store.models import StoreSettings
from messaging import outbox
from rewards import earning, endings, ledger, notifying, standings, totals
from rewards.till import holds
from segments import refresh
from workflows import engine

log = logging.getLogger(__name__)

RECORDS_ARE_KEPT_FOR = timedelta(days=30)
LOCK = 7_149_133  # the advisory lock's number; any that no other program uses on this database


@dataclass(frozen=True)
class Stage:
    """One step of the tick, and the stages without which it would work on stale facts."""

    name: str
    verb: Callable[[datetime], dict[str, int]]
    needs: tuple[str, ...] = ()


class StageReport(TypedDict):
    name: str
    seconds: float
    counts: dict[str, int]
    error: str


STAGES = (
    Stage("carts.abandon", carts.abandon),
    Stage("earning.settle", earning.settle),
    Stage("ledger.lapse", ledger.lapse),
    Stage("tiers.settle", standings.settle, needs=("earning.settle",)),
    Stage("vouchers.expire", endings.expire),
    Stage("holds.end", holds.end),
    Stage("segments.refresh", refresh.refresh),
    Stage("engine.enrol", engine.enrol, needs=("segments.refresh",)),
    Stage("engine.advance", engine.advance, needs=("segments.refresh",)),
    Stage("notices.send", notifying.send),
    Stage("outbox.release", outbox.release),
    Stage("attribution.credit", attribution.credit),
    Stage("figures.refresh", figures.refresh, needs=("attribution.credit",)),
    Stage("ledger.totals", totals.roll_up),
    Stage("ledger.prove", ledger.prove_nightly),
)
# The same with the messages delivered on the spot instead of by the workers: for cron, rehearsals and the demo store.
STAGES_THAT_DELIVER = tuple(
    Stage("outbox.deliver", outbox.deliver) if stage.name == "outbox.release" else stage for stage in STAGES
)


def run(now: datetime, stages: Sequence[Stage] = STAGES) -> TickRun:
    """The record of one run of every stage for the moment `now`.

    While another process is at it, there is nothing to do, and the record is not kept; a second run for the same `now`
    changes nothing. A stage that fails is logged and left for the next tick; later ones run unless they need it.
    """
    now = StoreSettings.load().local(now)
    with _alone() as is_ours:
        return _run(now, stages) if is_ours else TickRun(now=now, seconds=0.0)


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether no other process runs the tick on this database; none begins until the block ends.

    PostgreSQL lets go of the lock with the connection, however the process ends.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        is_ours = bool(cursor.fetchone()[0])
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _run(now: datetime, stages: Sequence[Stage]) -> TickRun:
    record = TickRun.objects.create(now=now)
    started = perf_counter()
    failed: set[str] = set()
    for stage in stages:
        report = _skipped(stage) if failed.intersection(stage.needs) else _report(stage, now)
        if report["error"]:
            failed.add(stage.name)
        record.stages.append(report)
    record.has_failed = bool(failed)
    record.seconds = round(perf_counter() - started, 3)
    record.save(update_fields=["stages", "has_failed", "seconds"])
    _tidy_up(before=record.started_at - RECORDS_ARE_KEPT_FOR)
    return record


def _tidy_up(before: datetime) -> None:
    """Drop old records of ticks, and answers that no sender of facts asks for again."""
    TickRun.objects.filter(started_at__lt=before).delete()
    Answer.objects.filter(created_at__lt=before).delete()


def run_now() -> str:
    """One tick for this very moment, in words; what the schedule calls each minute."""
    return str(run(timezone.now()))


def _report(stage: Stage, now: datetime) -> StageReport:
    started = perf_counter()
    counts: dict[str, int] = {}
    error = ""
    try:
        counts = stage.verb(now)
    except Exception as fault:  # noqa: BLE001 - whatever went wrong in one stage, the others go on and staff see it
        log.exception("Stage %s failed; it is tried again at the next tick.", stage.name)
        error = f"{type(fault).__name__}: {fault}"
    return {"name": stage.name, "seconds": round(perf_counter() - started, 3), "counts": counts, "error": error}


def _skipped(stage: Stage) -> StageReport:
    error = f"Left out, because it needs {' and '.join(stage.needs)}, which failed."
    return {"name": stage.name, "seconds": 0.0, "counts": {}, "error": error}
