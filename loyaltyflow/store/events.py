from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models import F, Max, OuterRef, Q, Subquery
from django.db.models.functions import Now

from loyaltyflow.sql import NextTransaction, TransactionId, oldest_running_transaction

from .customers import Customer


class EventType(models.Model):
    """A kind of thing that happens to customers, and what is known of it each time."""

    name = models.CharField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*$", "Small letters, digits and _ only, such as coffee_tasted.")],
        help_text="As the API says it, such as coffee_tasted.",
    )
    label = models.CharField(max_length=80, help_text="As staff read it, such as Coffee tasted.")
    properties = models.JSONField(
        default=dict, blank=True, help_text="Name and type of each property: text, number, yes_no, date or list."
    )
    is_sent_in = models.BooleanField(
        "may be sent in", default=True, help_text="Whether other systems may tell us through the API that it happened."
    )
    is_built_in = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["label"]

    def __str__(self) -> str:
        return self.label


class EventQuerySet(models.QuerySet["Event"]):
    def named(self, *names: str) -> "EventQuerySet":
        return self.filter(name__in=names)

    def up_to(self, now: datetime) -> "EventQuerySet":
        """What has happened by then."""
        return self.filter(occurred_at__lte=now)

    def one_of_kind(self, last: bool = False) -> "EventQuerySet":
        """The first (or last) event of the same customer and kind as that of the outer query; take `[:1]` of it.

        However late and in whatever order we learned of them: what counts is when they happened.
        """
        return self.filter(customer=OuterRef("customer"), name=OuterRef("name")).order_by(*Event.order(last))

    def first_of_kind(self) -> "EventQuerySet":
        """Those before which the same had never happened to their customers."""
        return self.filter(pk=Subquery(Event.objects.one_of_kind().values("pk")[:1]))


class Event(models.Model):
    """One thing that happened to a customer; rows are only added."""

    name = models.CharField(max_length=60)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="events", db_index=False)
    occurred_at = models.DateTimeField(help_text="When it happened.")
    recorded_at = models.DateTimeField(db_default=Now(), help_text="When we learned of it.")
    source = models.CharField(max_length=40, db_default="", default="")
    key = models.CharField(max_length=200, help_text="The same thing told twice has the same key.")
    properties = models.JSONField(default=dict, db_default={}, blank=True)
    transaction = models.BigIntegerField(db_default=TransactionId(), editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key"], name="one_event_per_key")]
        indexes = [
            models.Index(fields=["transaction"], name="event_by_transaction"),
            models.Index(fields=["customer", "name", "occurred_at"], name="event_by_customer"),
            models.Index(fields=["occurred_at"], name="event_by_time"),
        ]

    def __str__(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @staticmethod
    def order(last: bool = False) -> tuple[str, str]:
        """The order in which things happened; with `last`, the other way round."""
        return ("-occurred_at", "-pk") if last else ("occurred_at", "pk")


class FeedReaderQuerySet(models.QuerySet["FeedReader"]):
    def moved(self) -> "FeedReaderQuerySet":
        """Readers that are further than this server has ever come: their marks are another server's, from a backup."""
        return self.filter(transaction__gt=NextTransaction())


class FeedReader(models.Model):
    """How far one reader of the event feed has come.

    A reader sees each event once: at the first reading at which its transaction is older than every running one and
    the time it happened is not in the future. So neither a late commit nor a moving `now` makes it skip one.
    """

    name = models.CharField(max_length=40, unique=True)
    transaction = models.BigIntegerField(default=0, db_default=0)
    occurred_until = models.DateTimeField(null=True)

    objects = FeedReaderQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @classmethod
    @contextmanager
    def read(cls, name: str, now: datetime) -> Iterator["EventQuerySet"]:
        """The events that reader `name` has not seen, up to `now`; seen for good if the block ends without an error.

        The block is one transaction that holds the reader's row. While another process holds it, or has read up to a
        later `now`, there is nothing to see.
        """
        cls.objects.get_or_create(name=name)
        if cls.objects.moved().exists():
            move_in()
        with transaction.atomic():
            reader = cls.objects.select_for_update(skip_locked=True).filter(name=name).first()
            if reader is None or (reader.occurred_until and reader.occurred_until > now):
                yield Event.objects.none()
                return
            # What ran in another database a moment ago may not be told apart any more: the watermark never goes back.
            before = max(reader.transaction, oldest_running_transaction())
            unseen = Event.objects.filter(reader._unseen(before, now))
            yield unseen
            if unseen.exists() or reader.occurred_until != now:
                cls.objects.filter(pk=reader.pk).update(transaction=before, occurred_until=now)

    def _unseen(self, before: int, now: datetime) -> Q:
        recorded_since = Q(transaction__gte=self.transaction, transaction__lt=before, occurred_at__lte=now)
        if self.occurred_until is None:
            return recorded_since
        happened_since = Q(transaction__lt=self.transaction, occurred_at__gt=self.occurred_until, occurred_at__lte=now)
        return recorded_since | happened_since


@transaction.atomic
def move_in() -> None:
    """Put all events before every transaction of this server, and the readers where they stood among them.

    A backup that is restored on another server brings that server's transaction numbers along.
    """
    readers = FeedReader.objects.select_for_update().order_by("pk")
    if not len(readers) or not FeedReader.objects.moved().exists():
        return
    last = max(Event.objects.aggregate(last=Max("transaction"))["last"] or 0, *(each.transaction for each in readers))
    Event.objects.update(transaction=F("transaction") - last - 1)
    FeedReader.objects.update(transaction=F("transaction") - last - 1)


def happened(name: str, customer_id: int, at: datetime, key: str, source: str = "", **properties: Any) -> bool:
    """Whether this was news: records one event unless one with the same key is known already."""
    known = {"name": name, "customer_id": customer_id, "occurred_at": at, "source": source, "properties": properties}
    return Event.objects.get_or_create(key=key, defaults=known)[1]
