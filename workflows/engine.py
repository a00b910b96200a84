"""Moves customers through workflows: who enters, who leaves, and one step after another for all who are due."""

import logging
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, Func, JSONField, OuterRef, TextField, Value
from django.db.models.functions import Cast, Coalesce

from loyaltyflow.sql import insert_select
from loyaltyflow.store.events import EventQuerySet, FeedReader

from .enrolments import Enrolment, EnrolmentQuerySet, Step
from .graph import Revision, Workflow
from .nodes.base import Batch, Node

logger = logging.getLogger(__name__)

# As many as one transaction takes: enough to make each statement's fixed cost small, few enough to keep memory low.
BATCH = 20_000
LEFT_THE_SEGMENT = "Left the segment"


def enrol(now: datetime) -> dict[str, int]:
    """How many left their workflow because of what happened to them, and how many entered one, up to `now`."""
    counts = {"exited": 0, "entered": 0}
    with FeedReader.read("enrol", now) as events:
        for revision in Revision.objects.in_use().select_related("workflow"):
            nodes = revision.steps()
            trigger = next(node for node in nodes.values() if node.is_trigger)
            counts["exited"] += _exit(trigger, events, now)
            if revision.status == Revision.Status.LIVE and revision.workflow.status == Workflow.Status.LIVE:
                counts["entered"] += _enter(trigger, nodes, events, now)
    return counts


def _exit(trigger: Node, events: EventQuerySet, now: datetime) -> int:
    """How many of those inside the trigger's revision its events make leave."""
    since = trigger.leavers(events).filter(customer=OuterRef("customer"), occurred_at__gte=OuterRef("entered_at"))
    return Enrolment.objects.filter(Exists(since), revision=trigger.revision_id).leave(LEFT_THE_SEGMENT, now)


def _enter(trigger: Node, nodes: dict[int, Node], events: EventQuerySet, now: datetime) -> int:
    """How many entered: one for each customer with a new event since publication whom the re-entry rule admits."""
    revision = trigger.revision
    first = nodes[trigger.edges.all()[0].target_id]
    starters = trigger.starters(events, now).filter(occurred_at__gte=revision.published_at)
    admitted = starters.exclude(Exists(_in_the_way(revision.workflow, now)))
    entered = insert_select(
        Enrolment,
        admitted.order_by("customer_id", "occurred_at", "pk").distinct("customer_id"),
        {
            "workflow": Value(revision.workflow_id),
            "revision": Value(revision.pk),
            "customer": "customer_id",
            "node": Value(first.pk),
            "entered_at": now,
            "arrived_at": now,
            "due_at": first.due(now),
            "entry_event": "pk",
        },
        ignore_conflicts=True,
    )
    new = Enrolment.objects.filter(revision=revision, workflow=revision.workflow_id, entered_at=now)
    new = new.exclude(Exists(Step.objects.filter(enrolment=OuterRef("pk"), node=trigger.pk)))
    if entered:
        new.tell_entered()
    _log(trigger, new, "next", now)
    return entered


def _in_the_way(workflow: Workflow, now: datetime) -> EnrolmentQuerySet:
    """The earlier enrolments that keep the customer of an event from entering."""
    return Enrolment.objects.filter(workflow.keeps_out(now), workflow=workflow, customer=OuterRef("customer"))


def advance(now: datetime) -> dict[str, int]:
    """How many steps were taken (`moved`), how many left on the way (`exited`) and which many nodes `failed`.

    The due rows are the queue. What one process holds, the others skip; who moves a row looks for it again at its next
    node. So a process may stop as soon as it finds nothing that it can claim: whoever holds the rest goes on with it.
    """
    counts = {"moved": 0, "exited": 0, "failed": 0}
    plans: dict[int, dict[int, Node]] = {}
    failed: set[int] = set()
    progress = True
    while progress:
        progress = False
        for pk, revision in _due_nodes(now, failed):
            nodes = plans[revision] = plans.get(revision) or _plan(revision)
            try:
                progress |= _take_all(nodes[pk], nodes, now, counts)
            except Exception:
                flow = nodes[pk].revision.workflow
                logger.exception("Step “%s” of workflow “%s” failed; who is due there stays.", nodes[pk], flow)
                failed.add(pk)
                counts["failed"] += 1
    Workflow.objects.end_finished()
    return counts


def _due_nodes(now: datetime, failed: set[int]) -> list[tuple[int, int]]:
    """Node and revision ids where somebody is due, those of failed nodes left out."""
    due = Enrolment.objects.due(now).filter(node=OuterRef("pk"))
    nodes = Node.objects.non_polymorphic().filter(Exists(due)).exclude(pk__in=failed)
    return list(nodes.order_by("pk").values_list("pk", "revision_id"))


def _plan(revision: int) -> dict[int, Node]:
    return Revision.objects.select_related("workflow").get(pk=revision).steps()


def _take_all(node: Node, nodes: dict[int, Node], now: datetime, counts: dict[str, int]) -> bool:
    """Whether anybody was claimable at the node: batch by batch, all who are due take its step."""
    trigger = next(each for each in nodes.values() if each.is_trigger)
    claimed = BATCH
    progress = False
    while claimed == BATCH:
        with transaction.atomic():
            batch = claim(node, now)
            claimed = len(batch.customers)
            exited = _drop(trigger, batch) if claimed else 0
            moved = take(node, nodes, batch) if batch.customers else 0
        counts["exited"] += exited
        counts["moved"] += moved
        progress |= claimed > 0
    return progress


def claim(node: Node, now: datetime) -> Batch:
    """Up to BATCH due enrolments at the node, locked for this transaction; those that others hold are left out."""
    due = Enrolment.objects.due(now).filter(node=node.pk)
    rows = due.select_for_update(skip_locked=True, of=("self",)).values_list("pk", "customer_id")[:BATCH]
    return _batch(dict(rows), now)


def _batch(customers: dict[int, int], now: datetime) -> Batch:
    return Batch(customers, Enrolment.objects.filter(pk__any=list(customers)), now)


def _drop(trigger: Node, batch: Batch) -> int:
    """How many of the batch may not go on, as the trigger sees it; they leave the workflow and the batch."""
    stays = trigger.stays(batch.now)
    if stays is None:
        return 0
    staying = dict(batch.enrolments.filter(stays).values_list("pk", "customer_id"))
    gone = [pk for pk in batch.customers if pk not in staying]
    if gone:
        Enrolment.objects.filter(pk__any=gone).leave(LEFT_THE_SEGMENT, batch.now)
        batch.customers, batch.enrolments = staying, Enrolment.objects.filter(pk__any=list(staying))
    return len(gone)


def take(node: Node, nodes: dict[int, Node], batch: Batch) -> int:
    """How many enrolments took the node's step: its effect, their log and the move to the next node."""
    targets = {edge.outlet: nodes[edge.target_id] for edge in node.edges.all()}
    taken = 0
    for outlet, ids in node.run(batch):
        if ids:
            leaving = Enrolment.objects.filter(pk__any=ids)
            taken += _log(node, leaving, outlet, batch.now, batch.reasons)
            if outlet in node.outlets:
                target = targets[outlet]
                leaving.update(node=target.pk, arrived_at=batch.now, due_at=target.due(batch.now))
    return taken


def _log(
    node: Node, leaving: EnrolmentQuerySet, outlet: str, now: datetime, reasons: dict[int, str] | None = None
) -> int:
    columns: dict[str, Any] = {"enrolment": "pk", "node": Value(node.pk), "arrived_at": "arrived_at", "left_at": now}
    if reasons:
        known = Value({str(pk): reason[:200] for pk, reason in reasons.items()}, output_field=JSONField())
        reason = Func(known, Cast("pk", TextField()), function="jsonb_extract_path_text", output_field=TextField())
        columns |= {"reason": Coalesce(reason, Value(""), output_field=TextField())}
    return insert_select(Step, leaving, columns | {"outlet": Value(outlet)})
