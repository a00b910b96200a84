"""Messages on their way: posted by whoever has something to say, claimed, checked, filled in and handed over."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from math import inf
from time import monotonic
from typing import Any

from django.db import models, transaction
from django.db.models import Case, OuterRef, Subquery, Value, When
from django.db.models.functions import JSONObject
from django.utils import timezone
from django_q.tasks import async_task, queue_size

from loyaltyflow.sql import insert_select
from loyaltyflow.store.models import StoreSettings

from .campaigns import Campaign
from .channels import Channel
from .channels.base import Connection, Outgoing, Unreachable
from .emails import EmailTemplate
from .messages import Claimed, Message, Outcome
from .render import NotRendered, links, render, rows_of, templates, values_of, variables

logger = logging.getLogger(__name__)

CLAIM = 200  # Messages that a worker holds at once: as many may become uncertain when it dies.
CHUNK = 25  # Messages between two recordings of what became of them.
LEASE = timedelta(minutes=10)
HOLD_SECONDS = 240  # Well under the lease: what is not handed over by then is given back.
DRAIN_SECONDS = 200  # Under django-q's timeout, less the time one message may take.
DRAINS = 8
MESSAGES_A_DRAIN = 2_000


def post(
    rows: models.QuerySet[Any, Any],
    *,
    campaign: Campaign | int,
    template: EmailTemplate,
    origin: str,
    customer: str,
    visit: str,
    due_at: Any,
    values: dict[str, Any] | None = None,
) -> int:
    """The number of messages that one statement put into the outbox: one for each of `rows` that has none yet.

    `customer` and `visit` name fields of `rows`; `due_at` is a moment or an expression over them. `values` become the
    template's `message.…` variables; each is a plain value or an expression over `rows`.
    """
    return insert_select(
        Message,
        rows,
        {
            "campaign": campaign if isinstance(campaign, int) else campaign.pk,
            "customer": customer,
            "template": template.pk,
            "channel": Value("email"),
            "category": Value(template.category),
            "origin": Value(origin),
            "visit": visit,
            "values": _json(values or {}),
            "due_at": due_at,
        },
        ignore_conflicts=True,
    )


def _json(values: dict[str, Any]) -> Any:
    if not any(hasattr(value, "resolve_expression") for value in values.values()):
        return values
    plain = models.JSONField()
    return JSONObject(
        **{
            name: value if hasattr(value, "resolve_expression") else Value(value, output_field=plain)
            for name, value in values.items()
        }
    )


def release(now: datetime) -> dict[str, int]:
    """Tell a worker that messages are due: how many (counted up to what one can take), tasks, uncertain.

    Messages that a dead worker left behind become uncertain: never sent again by themselves, and never dropped.
    """
    stuck = Message.objects.stuck(before=now - LEASE)
    uncertain = stuck.update(
        status=Message.Status.UNCERTAIN,
        detail="The worker stopped between handing it over and writing that down. It may or may not have been sent.",
    )
    due = Message.objects.due(now)[:MESSAGES_A_DRAIN].count()
    return {"due": due, "tasks": int(due > 0 and _call_a_worker()), "uncertain": uncertain}


def _call_a_worker() -> bool:
    """Whether one more drain was put into the queue, which holds but so many."""
    if queue_size() >= DRAINS:
        return False
    async_task("messaging.outbox.drain")
    return True


def drain() -> dict[str, int]:
    """The task of a worker: deliver what is due, for as long as a task may run; counts by status.

    If there is more than one can take, it calls the next worker first, who does the same: so all of them help.
    """
    zone = StoreSettings.load().zone
    if Message.objects.due(timezone.now())[MESSAGES_A_DRAIN:].exists():
        _call_a_worker()
    return _deliver(lambda: timezone.now().astimezone(zone), until=monotonic() + DRAIN_SECONDS)


def deliver(now: datetime) -> dict[str, int]:
    """Deliver all that is due at `now`, as if it were that moment all along, and count it by status.

    `returned` counts messages that are pending again because the provider could not be reached.
    """
    return _deliver(lambda: now, until=inf)


def _deliver(clock: Callable[[], datetime], until: float) -> dict[str, int]:
    counts, store = Counter[str](), StoreSettings.load()
    for kind in Channel.registry.values():
        channel = kind(store)
        with channel.connect() as connection:
            while monotonic() < until:
                claimed_at = clock()
                claimed, refused = claim(channel, claimed_at)
                if not claimed and not refused:
                    break
                counts["blocked"] += refused
                returned = _hand_over(claimed, claimed_at, connection, clock, counts, until)
                if returned:
                    counts["returned"] += returned
                    break
    return dict(+counts)


def claim(channel: Channel, now: datetime) -> tuple[list[Claimed], int]:
    """Due messages that are now this process's alone to hand over, and how many more were blocked.

    Whether a message may go is asked in the transaction that claims it, so nobody who unsubscribed a second ago is
    written to; the claim is committed before anything leaves.
    """
    fields = ("pk", "customer_id", "template_id", "category", "origin", "visit", "values", "to", "refusal")
    claimed: list[Claimed] = []
    refused: dict[int, str] = {}
    with transaction.atomic():
        due = Message.objects.due(now).filter(channel=channel.name).order_by("due_at")
        locked = due.select_for_update(skip_locked=True, of=("self",))
        asked = locked.reasons_not_to_send(channel.name, channel.address, now)
        for row in asked.values_list(*fields)[:CLAIM]:
            message, refusal = Claimed(*row[:-1]), row[-1]
            if refusal or not channel.is_address(message.address):
                refused[message.id] = refusal or Message.Reason.NO_ADDRESS
            else:
                claimed.append(message)
        _mark(claimed, refused, channel, now)
    return claimed, len(refused)


def _mark(claimed: Sequence[Claimed], refused: dict[int, str], channel: Channel, now: datetime) -> None:
    """Write down the claim and the refusals; two statements at most."""
    address = Subquery(Message.objects.filter(pk=OuterRef("pk")).values(channel.address)[:1])
    if claimed:
        mine = Message.objects.filter(pk__any=[message.id for message in claimed])
        mine.update(status=Message.Status.SENDING, claimed_at=now, address=address)
    if refused:
        reasons = [
            When(pk__any=[pk for pk, reason in refused.items() if reason == each], then=Value(each))
            for each in sorted(set(refused.values()))
        ]
        blocked = Message.objects.filter(pk__any=list(refused))
        blocked.update(status=Message.Status.BLOCKED, claimed_at=now, reason=Case(*reasons), address=address)


def _hand_over(
    claimed: list[Claimed],
    claimed_at: datetime,
    connection: Connection,
    clock: Callable[[], datetime],
    counts: Counter[str],
    until: float,
) -> int:
    """The number of messages given back unsent; the others are handed over, recorded chunk by chunk and counted."""
    end = min(until, monotonic() + HOLD_SECONDS)
    filled_in = _filled_in(claimed, claimed_at)
    handled = 0
    try:
        while chunk := list(islice(filled_in, CHUNK)):
            outcomes: list[Outcome] = []
            try:
                for each in chunk:
                    if monotonic() > end:
                        raise Unreachable("This worker's time is over.")
                    outcomes.append(each if isinstance(each, Outcome) else connection.send(each))
            finally:
                Message.record(outcomes, clock())
                counts.update(str(outcome.status) for outcome in outcomes)
                handled += len(outcomes)
    except Unreachable as error:
        logger.warning("E-mail waits: %s", error)
    except Exception:  # Nobody knows whether the one that it broke at has left; those after it have not.
        _give_back(claimed[handled + 1 :], claimed_at)
        raise
    return _give_back(claimed[handled:], claimed_at)


def _give_back(rest: list[Claimed], claimed_at: datetime) -> int:
    return Message.objects.give_back([message.id for message in rest], claimed_at) if rest else 0


def _filled_in(claimed: list[Claimed], now: datetime) -> Iterator[Outgoing | Outcome]:
    """Each message with what it says, or blocked because its template cannot be filled in."""
    parts = templates(message.template for message in claimed)
    values = values_of(parts.values(), (message.customer for message in claimed), now)
    rows = rows_of(parts.values(), (message.values for message in claimed), now)
    for message in claimed:
        known = variables(values, message.customer, message.values, links(message.id), rows)
        try:
            yield Outgoing(message, render(parts[message.template], known))
        except NotRendered as error:
            yield Outcome(message.id, Message.Status.BLOCKED, Message.Reason.RENDER_ERROR, str(error))
