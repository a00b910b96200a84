from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db import connections, models, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Cast, Concat, JSONObject, Lower, Now

from loyaltyflow.sql import insert_select
from loyaltyflow.store.models import Channel, Consent, Customer, Event

from .campaigns import Campaign
from .emails import Category, EmailTemplate
from .suppression import Suppression


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this process alone may hand over, and what it needs to do so."""

    id: int
    customer: int
    template: int
    category: str
    origin: str
    visit: int
    values: dict[str, Any]
    address: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message when it was handed over."""

    id: int
    status: str
    reason: str = ""
    detail: str = ""
    subject: str = ""
    provider_id: str = ""


RECORD = """
UPDATE messaging_message AS m
SET status = o.status, reason = o.reason, detail = o.detail, subject = o.subject, provider_id = o.provider_id,
    sent_at = CASE WHEN o.status = 'sent' THEN %s::timestamptz END
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
     AS o (id, status, reason, detail, subject, provider_id)
WHERE m.id = o.id AND m.status IN ('sending', 'uncertain')
"""


class MessageQuerySet(models.QuerySet["Message"]):
    def due(self, now: datetime) -> "MessageQuerySet":
        """Pending messages whose time has come."""
        return self.filter(status=Message.Status.PENDING, due_at__lte=now)

    def reasons_not_to_send(self, channel: str, address: str, now: datetime) -> "MessageQuerySet":
        """Each with `to`, where it would go, and `refusal`, the reason why it must not go there now, or "".

        The customer's latest word counts, whenever it was given. `address` leads to where the channel writes.
        """
        last_word = Consent.objects.filter(customer=OuterRef("customer"), channel=channel)
        marketing = Q(category=Category.MARKETING)
        suppressed = Suppression.objects.filter(channel=channel, address=Lower(OuterRef(address)))
        return self.annotate(
            to=F(address),
            word=Subquery(last_word.order_by("-given_at", "-pk").values("status")[:1]),
            refusal=Case(
                When(to="", then=Value(Message.Reason.NO_ADDRESS)),
                When(Exists(suppressed), then=Value(Message.Reason.SUPPRESSED)),
                When(marketing & Q(word=Consent.Status.OPTED_OUT), then=Value(Message.Reason.OPTED_OUT)),
                When(
                    marketing & (Q(word=None) | ~Q(word=Consent.Status.OPTED_IN)), then=Value(Message.Reason.NO_CONSENT)
                ),
                *(When(is_pointless(now), then=Value(reason)) for reason, is_pointless in Message.pointless.items()),
                default=Value(""),
                output_field=models.CharField(),
            ),
        )

    def stuck(self, before: datetime) -> "MessageQuerySet":
        """Claimed at or before that moment and never recorded: their worker died."""
        return self.filter(status=Message.Status.SENDING, claimed_at__lte=before)

    def give_back(self, ids: Sequence[int], claimed_at: datetime) -> int:
        """The number of claimed messages, not handed over, that are pending again."""
        mine = self.filter(pk__any=ids, status=Message.Status.SENDING, claimed_at=claimed_at)
        return mine.update(status=Message.Status.PENDING, claimed_at=None)

    def stop(self) -> int:
        """The number of pending messages that staff stopped."""
        pending = self.filter(status=Message.Status.PENDING)
        return pending.update(status=Message.Status.BLOCKED, reason=Message.Reason.STOPPED)

    def send_again(self, now: datetime) -> int:
        """The number of uncertain messages that are pending once more."""
        uncertain = self.filter(status=Message.Status.UNCERTAIN)
        return uncertain.update(status=Message.Status.PENDING, due_at=now, claimed_at=None, detail="")

    def count_as_sent(self) -> int:
        """The number of uncertain messages that now count as sent, at the moment they were claimed."""
        with transaction.atomic():
            ids = list(self.filter(status=Message.Status.UNCERTAIN).select_for_update().values_list("pk", flat=True))
            rows = Message.objects.filter(pk__any=ids)
            counted = rows.update(status=Message.Status.SENT, sent_at=F("claimed_at"))
            Message.tell_sent(ids)
        return counted

    def went_out(self) -> "MessageQuerySet":
        """Accepted by the provider, whatever became of them after."""
        return self.filter(sent_at__isnull=False)


class Message(models.Model):
    """One message to one customer: the outbox before it is sent, the log ever after."""

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        DELIVERED = "delivered", "Delivered"
        BOUNCED = "bounced", "Bounced"
        FAILED = "failed", "Failed"
        UNCERTAIN = "uncertain", "Uncertain"
        BLOCKED = "blocked", "Blocked"

    class Reason(models.TextChoices):
        OPTED_OUT = "opted_out", "Opted out"
        NO_CONSENT = "no_consent", "Has not opted in"
        NO_ADDRESS = "no_address", "No address"
        SUPPRESSED = "suppressed", "Address is suppressed"
        RENDER_ERROR = "render_error", "The template could not be filled in"
        STOPPED = "stopped", "Stopped by staff"
        VOUCHER_GONE = "voucher_gone", "The voucher was used or is over"

    # Reason → which messages have no point any more at a moment, as an app above sees it.
    pointless: ClassVar[dict[str, Callable[[datetime], Q]]] = {}

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="messages", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="messages", db_index=False)
    template = models.ForeignKey(EmailTemplate, on_delete=models.PROTECT, related_name="messages")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    category = models.CharField(max_length=10, choices=Category.choices)
    origin = models.CharField(max_length=40, help_text="What asked for it, such as node:12.")
    visit = models.BigIntegerField(help_text="Which time the customer came there, such as the enrolment's number.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING, db_default=Status.PENDING)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True, default="", db_default="")
    detail = models.TextField(
        blank=True, default="", db_default="", help_text="The provider's or the error's own words."
    )
    values = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="What the origin adds to the variables."
    )
    address = models.CharField(max_length=254, blank=True, default="", db_default="")
    subject = models.CharField(max_length=400, blank=True, default="", db_default="")
    provider_id = models.CharField(max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["origin", "customer", "visit"], name="one_message_per_origin_and_visit")
        ]
        indexes = [
            models.Index(fields=["due_at"], name="message_pending", condition=Q(status="pending")),
            models.Index(fields=["claimed_at"], name="message_sending", condition=Q(status="sending")),
            models.Index(
                fields=["status", "due_at"], name="message_in_trouble", condition=Q(status__in=["blocked", "uncertain"])
            ),
            models.Index(fields=["customer", "created_at"], name="message_by_customer"),
            models.Index(fields=["campaign", "sent_at"], name="message_by_campaign"),
            models.Index(fields=["sent_at"], name="message_by_sending"),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} to {self.customer}"

    @classmethod
    def record(cls, outcomes: Collection[Outcome], now: datetime) -> int:
        """The number of messages whose outcome was written, with a message_sent event for each that was sent.

        A message that staff have decided on meanwhile keeps their decision.
        """
        if not outcomes:
            return 0
        columns = ("id", "status", "reason", "detail", "subject", "provider_id")
        arrays = [[getattr(outcome, column) for outcome in outcomes] for column in columns]
        with transaction.atomic(), connections["default"].cursor() as cursor:
            cursor.execute(RECORD, [now, *arrays])
            written = int(cursor.rowcount)
            cls.tell_sent([outcome.id for outcome in outcomes if outcome.status == cls.Status.SENT])
        return written

    @classmethod
    def tell_sent(cls, ids: Sequence[int]) -> int:
        """The number of message_sent events that were news."""
        rows = cls.objects.filter(pk__any=ids, status=cls.Status.SENT)
        return insert_select(
            Event,
            rows,
            {
                "name": Value("message_sent"),
                "customer": "customer_id",
                "occurred_at": "sent_at",
                "source": Value("messaging"),
                "key": Concat(Value("message_sent:"), Cast("pk", models.TextField()), output_field=models.TextField()),
                "properties": JSONObject(message="pk", campaign="campaign_id"),
            },
            ignore_conflicts=True,
        )
