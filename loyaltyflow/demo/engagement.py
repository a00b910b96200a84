"""Opens and clicks of the demo's customers, drawn at stated rates from a fixed seed.

Nobody reads the demo's e-mails, so these facts are made up, as are the few sales at its till (`life`). What customers
bought otherwise, and so every conversion and its revenue, is the retailer's real data.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from messaging.models import Engagement, Link, Message

SEED = 2017
OPEN_RATE = 0.28
SECOND_OPEN_RATE = 0.2
CLICK_RATE_OF_OPENERS = 0.16
HOURS_TO_OPEN = 9.0
LONGEST = timedelta(days=4)


class Act(NamedTuple):
    kind: str
    at: datetime


def draw(after: datetime, until: datetime) -> int:
    """The number of opens and clicks that were recorded: those that fall later than `after` and up to `until`.

    What a customer does with a message depends on the message alone, so any cut into spans draws the same.
    """
    messages = Message.objects.went_out().filter(sent_at__gt=until - LONGEST, sent_at__lte=until)
    links = dict(Link.objects.filter(template__messages__in=messages).order_by("-pk").values_list("template_id", "pk"))
    acts = [
        Engagement(message=message, kind=act.kind, at=act.at, link_id=_link(act, links, message), is_demo=True)
        for message in messages.order_by("pk")
        for act in _acts(message)
        if after < act.at <= until
    ]
    return Engagement.record(acts)


def _link(act: Act, links: dict[int, int], message: Message) -> int | None:
    return links.get(message.template_id) if act.kind == Engagement.Kind.CLICK else None


def _acts(message: Message) -> Iterator[Act]:
    chance = Random(f"{SEED} {message.origin} {message.customer_id} {message.visit}")  # noqa: S311 - not a secret
    if message.sent_at is None or chance.random() >= OPEN_RATE:
        return
    opened = message.sent_at + timedelta(hours=chance.expovariate(1 / HOURS_TO_OPEN), seconds=30)
    yield Act(Engagement.Kind.OPEN, min(opened, message.sent_at + LONGEST / 2))
    if chance.random() < CLICK_RATE_OF_OPENERS:
        yield Act(Engagement.Kind.CLICK, opened + timedelta(seconds=chance.uniform(5, 120)))
    if chance.random() < SECOND_OPEN_RATE:
        yield Act(Engagement.Kind.OPEN, opened + timedelta(hours=chance.uniform(1, 20)))
