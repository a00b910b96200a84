"""Fills pools with new codes, many at a time, so that a million take less than a minute, and finds empty ones."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from math import inf
from time import monotonic

from django.db import connection, models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django_q.tasks import async_task
from psycopg.errors import UniqueViolation

from . import codes
from .discounts.base import Discount
from .vouchers import CodePool, Voucher

logger = logging.getLogger(__name__)

BATCH = 50_000
TASK_SECONDS = 150  # under django-q's timeout, with room for the last batch

COPY = "COPY rewards_voucher (code, discount_id, pool_id, state) FROM STDIN"


def fill(pool: int, show: Callable[[int], object] = lambda new: None, until: float = inf) -> int:
    """How many codes were made until the pool held as many as are wanted, or `until` came (in monotonic seconds).

    Each batch is a transaction of its own that holds the pool: whoever is stopped loses none, and of two at the same
    pool each goes on where the other stopped.
    """
    made = 0
    while monotonic() < until:
        new = _add_batch(pool)
        if not new:
            break
        made += new
        show(new)
    return made


def _add_batch(pool: int) -> int:
    """How many codes were added; 0 if the pool holds all that are wanted."""
    with transaction.atomic():
        held = CodePool.objects.select_for_update().filter(pk=pool).first()
        new = 0 if held is None else min(BATCH, held.wanted - held.made)
        if held is None or new <= 0:
            return 0
        prefix = Discount.objects.non_polymorphic().values_list("code_prefix", flat=True).get(pk=held.discount_id)
        while not _copied(held, codes.generated(prefix, new)):
            logger.info("A code that was drawn for “%s” is there already. The batch is drawn again.", held)
        CodePool.objects.filter(pk=pool).update(made=F("made") + new)
    return new


def _copied(pool: CodePool, drawn: Iterable[str]) -> bool:
    """Whether the codes were added: all of them, or none because one is there already, however unlikely that is."""
    rest = f"\t{pool.discount_id}\t{pool.pk}\tfree\n"
    try:
        with transaction.atomic(), connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.write("".join([f"{code}{rest}" for code in drawn]).encode())
    except UniqueViolation:
        return False
    return True


def fill_later(pool: int) -> None:
    """Let a worker fill the pool."""
    async_task("rewards.pools.fill_for_a_while", pool)


def fill_for_a_while(pool: int) -> int:
    """The task of a worker: as many codes as fit into its time; the rest is the next task's."""
    made = fill(pool, until=monotonic() + TASK_SECONDS)
    if CodePool.objects.filter(pk=pool, made__lt=F("wanted")).exists():
        fill_later(pool)
    return made


def run_out(now: datetime) -> models.QuerySet[Discount]:
    """The active discounts that give only codes of their pools, and have no free one left."""
    free = Voucher.objects.filter(
        Voucher.lasts(now), discount=OuterRef("pk"), state=Voucher.State.FREE, pool__isnull=False
    )
    on = Discount.objects.non_polymorphic().filter(is_active=True, makes_codes=False)
    return on.filter(~Exists(free), Q(ends_at=None) | Q(ends_at__gt=now)).order_by("name")
