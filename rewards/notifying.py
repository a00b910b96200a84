"""Tells customers of every movement of their points: at once, or once a day with all of them."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from babel.numbers import get_group_symbol
from django.db import connection, models, transaction
from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    F,
    Func,
    JSONField,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    TextField,
    Value,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Greatest

from loyaltyflow.sql import insert_select
from loyaltyflow.store.models import Customer, StoreSettings
from messaging import outbox
from messaging.emails import Category
from messaging.models import Campaign, EmailTemplate, Message
from messaging.reach import with_channel
from messaging.starters import starter

from .notice import Notice, NoticeProgress
from .points import Entry
from .programme import Programme

ORIGIN = "points_notice"
TEMPLATE = CAMPAIGN = "Points notices"
DIGEST_HOUR = 9  # on the store's clock
WITHIN = timedelta(hours=24)
LATE_TICK = timedelta(minutes=10)  # so long after its time a movement counts as without notice
DIGEST_AFTER = timedelta(hours=23)  # whatever the hour is: a day may have 25 hours
BATCH = 20_000  # movements that one round tells of
MARGIN = "1 hour"  # a transaction that took a lower number is over by then

NOT_GONE = [Message.Status.BLOCKED, Message.Status.FAILED]
GONE = [Message.Status.SENT, Message.Status.DELIVERED, Message.Status.BOUNCED, Message.Status.UNCERTAIN]

# Each gives the origins of the messages that are the notice of what the same visit gave, such as a workflow's own.
TELLERS: list[Callable[[], models.QuerySet[Any, Any]]] = []


def send(now: datetime) -> dict[str, int]:
    """How many movements customers were told of (`told`), and of how many they could not be (`exempt`)."""
    counts = {"told": 0, "exempt": 0}
    with transaction.atomic():
        counts["exempt"] += _settle()
        counts["told"] += _told_by_workflows()
        counts["exempt"] += _exempt(Notice.Exemption.BROUGHT, kind=Entry.Kind.MIGRATION)
        counts["exempt"] += _exempt(Notice.Exemption.MERGED, customer__merged_into__isnull=False)
    while ids := _due(now):
        with transaction.atomic():
            exempt = _exempt_unreachable(ids)
            told = _tell(ids, now)
        counts["exempt"] += exempt
        counts["told"] += told
        if not told + exempt or len(ids) < BATCH:
            break
    _go_on()
    return counts


def unnoticed(progress: NoticeProgress | None = None) -> models.QuerySet[Entry]:
    """Entries of which nobody was told and that are not exempt; without progress, all there ever were are looked at."""
    since = progress or NoticeProgress.load()
    entries = Entry.objects.filter(occurred_at__gte=since.since).exclude(
        Exists(Notice.objects.filter(entry=OuterRef("pk")))
    )
    return entries.filter(pk__gte=progress.entry) if progress else entries


def missing(now: datetime, *, all_of_them: bool = False) -> models.QuerySet[Entry]:
    """Movements older than a day of which the customer was not told and that are not exempt; there must be none."""
    known = unnoticed() if all_of_them else unnoticed(NoticeProgress.load())
    return known.filter(occurred_at__lt=now - WITHIN - LATE_TICK).order_by("occurred_at", "pk")


def _due(now: datetime) -> list[int]:
    """The entries to tell of now: all of each customer of whom one is due."""
    waiting = unnoticed(NoticeProgress.load()).filter(occurred_at__lte=now)
    gift = Q(kind=Entry.Kind.BOOST, key__startswith="node:")  # its workflow tells of it, within a day
    ours = waiting.filter(~gift | Q(occurred_at__lte=now - WITHIN))
    if Programme.load().notices == Programme.Notices.DAILY and not _is_digest_time(now):
        late = ours.filter(customer=OuterRef("customer"), occurred_at__lte=now - DIGEST_AFTER)
        ours = ours.filter(Exists(late))
    return list(ours.order_by("customer_id", "pk").values_list("pk", flat=True)[:BATCH])


def _is_digest_time(now: datetime) -> bool:
    return StoreSettings.load().local(now).hour == DIGEST_HOUR


def _exempt_unreachable(ids: list[int]) -> int:
    """How many of the entries belong to customers whom no channel reaches."""
    unreachable = with_channel(Customer.objects.all()).filter(channel="", pk=OuterRef("customer_id"))
    rows = Entry.objects.filter(pk__any=ids).annotate(why_not=Subquery(unreachable.values("why_not")[:1]))
    columns = {"entry": "pk", "exemption": "why_not", "is_settled": True}
    return insert_select(Notice, rows.filter(why_not__isnull=False), columns, ignore_conflicts=True)


# What one message says of many movements, the latest of them first; no more than a message can hold.
MOVEMENTS = """(
    SELECT jsonb_agg(jsonb_build_object(
        'points', translate(to_char(e.points, 'FMSG999,999,999,990'), ',', %s), 'what', e.explanation,
        'when', to_char(e.occurred_at AT TIME ZONE %s, 'YYYY-MM-DD')
    ) ORDER BY e.occurred_at, e.id)
    FROM (
        SELECT * FROM rewards_entry WHERE id = ANY(%s) AND customer_id = store_customer.id
        ORDER BY occurred_at DESC, id DESC LIMIT 100
    ) AS e
)"""


def _tell(ids: list[int], now: datetime) -> int:
    """How many of the entries that have no notice yet a message tells of, one for each customer."""
    store = StoreSettings.load()
    sign = get_group_symbol(store.locale)[:1]
    told = Entry.objects.filter(pk__any=ids, notice=None).order_by()
    own = told.filter(customer=OuterRef("pk")).values("customer")
    sums = own.annotate(last=Max("pk"), total=Sum("points"), more=Count("pk") - 100)
    rows = Customer.objects.filter(Exists(told.filter(customer=OuterRef("pk"))))
    rows = rows.annotate(
        last=Subquery(sums.values("last")),
        total=_signed(Subquery(sums.values("total")), sign),
        more=Cast(Greatest(Subquery(sums.values("more")), 0), TextField()),
        movements=RawSQL(MOVEMENTS, [sign, store.time_zone, ids], output_field=JSONField()),
    )
    posted = outbox.post(
        rows,
        campaign=_campaign(),
        template=_template(),
        origin=ORIGIN,
        customer="pk",
        visit="last",
        due_at=now,
        values={"movements": F("movements"), "total": F("total"), "more": F("more")},
    )
    if not posted:
        return 0
    message = Message.objects.filter(origin=ORIGIN, customer=OuterRef("customer_id")).order_by("-visit")
    rows_told = told.annotate(told_by=Subquery(message.values("pk")[:1]))
    return insert_select(Notice, rows_told, {"entry": "pk", "message": "told_by"}, ignore_conflicts=True)


def _signed(points: Any, sign: str) -> Any:
    """An expression: so many points with their sign, such as +1,240."""
    text = TextField()
    shown = Func(points, Value("FMSG999,999,999,990"), function="to_char", output_field=text)
    return Func(shown, Value(","), Value(sign), function="translate", output_field=text)


def _told_by_workflows() -> int:
    """How many of the gifts of workflows a message of the same enrolment tells of."""
    visit = Cast(Func(F("key"), Value(":"), Value(3), function="split_part"), BigIntegerField())
    gifts = unnoticed(NoticeProgress.load()).filter(kind=Entry.Kind.BOOST, key__regex=r"^node:\d+:\d{1,18}$")
    own = Message.objects.filter(customer=OuterRef("customer_id"), visit=OuterRef("visit"))
    later = own.filter(due_at__gte=OuterRef("occurred_at")).exclude(status__in=NOT_GONE).order_by("pk")
    told = 0
    for origins in TELLERS:
        message = later.filter(origin__in=origins()).values("pk")[:1]
        rows = gifts.annotate(visit=visit, told_by=Subquery(message)).filter(told_by__isnull=False)
        told += insert_select(Notice, rows, {"entry": "pk", "message": "told_by"}, ignore_conflicts=True)
    return told


def _settle() -> int:
    """How many movements are exempt since their message could not be sent. What a workflow did not send, we tell."""
    waiting = Notice.objects.filter(is_settled=False)
    waiting.filter(message__status__in=GONE).update(is_settled=True)
    failed = waiting.filter(message__status__in=NOT_GONE)
    failed.exclude(message__origin=ORIGIN).delete()
    return failed.filter(message__origin=ORIGIN).update(is_settled=True, exemption=Notice.Exemption.NOT_SENT)


def _exempt(reason: Notice.Exemption, **which: Any) -> int:
    """How many movements of that sort need no notice."""
    rows = unnoticed(NoticeProgress.load()).filter(**which)
    columns = {"entry": "pk", "exemption": Value(reason), "is_settled": True}
    return insert_select(Notice, rows, columns, ignore_conflicts=True)


def _go_on() -> None:
    """Note from which entry on there may be some without notice: none that a transaction under way may yet add."""
    progress = NoticeProgress.load()
    with connection.cursor() as cursor:
        cursor.execute(GO_ON, {"since": progress.since, "entry": progress.entry, "margin": MARGIN})


# The last one before the first that may still be waiting: what has a number between may not be there to see yet.
GO_ON = """
UPDATE rewards_noticeprogress SET entry = coalesce(
    (
        SELECT max(done.id) FROM rewards_entry AS done
        WHERE done.id >= %(entry)s AND done.id < coalesce((
            SELECT min(e.id) FROM rewards_entry AS e
            WHERE e.id >= %(entry)s AND (
                e.recorded_at > now() - %(margin)s::interval
                OR e.occurred_at >= %(since)s AND NOT EXISTS (SELECT FROM rewards_notice n WHERE n.entry_id = e.id)
            )
        ), 9223372036854775807)
    ),
    entry
)
WHERE id = 1
"""


def _campaign() -> Campaign:
    return Campaign.objects.get_or_create(name=CAMPAIGN)[0]


def _template() -> EmailTemplate:
    """The e-mail that staff may change, made if it is not there."""
    known: Iterable[EmailTemplate] = EmailTemplate.objects.filter(name=TEMPLATE)
    for template in known:
        return template
    return EmailTemplate.objects.create(name=TEMPLATE, category=Category.SERVICE, **starter("points_notice"))
