from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet

from loyaltyflow.store.admin.told import tell
from loyaltyflow.store.models import Consent, Customer, Event, Tagging
from rewards.points import EVENTS

from .base import Source, Told, joined, link

# What other sources tell from the rows themselves, which say more than the events do.
TOLD_ELSEWHERE = [
    "order_placed",
    "order_completed",
    "order_shipped",
    "order_refunded",
    "order_cancelled",
    *EVENTS.values(),
    "voucher_assigned",
    "voucher_redeemed",
    "voucher_given_back",
    "tier_changed",
    "message_sent",
    "message_opened",
    "message_clicked",
    "segment_entered",
    "segment_left",
    "workflow_entered",
    "workflow_left",
    "tag_added",
    "tag_removed",
    "consent_changed",
]
MARKS = {Consent.Status.OPTED_IN: "thumb_up", Consent.Status.OPTED_OUT: "do_not_disturb_on"}


class Said(Source):
    """A word on a channel."""

    group, permission, at = "consent", "store.view_consent", "given_at"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Consent.objects.filter(customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        return {each.pk: self._told(each) for each in Consent.objects.filter(pk__any=numbers)}

    def _told(self, consent: Consent) -> Told:
        icon = MARKS.get(Consent.Status(consent.status), "help")
        return Told(icon, str(consent), joined(consent.source, consent.proof.partition("\n")[0]), link=link(consent))


class Tagged(Source):
    """A tag that the customer got."""

    group, permission, at = "tags", "store.view_tagging", "added_at"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Tagging.objects.filter(customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        found = Tagging.objects.filter(pk__any=numbers).select_related("tag", "added_by", "removed_by")
        return {each.pk: self.told(each) for each in found}

    def told(self, tagging: Tagging) -> Told:
        """The line for one of them."""
        return Told("sell", f"Got the tag “{tagging.tag}”", f"by {tagging.added_by}" if tagging.added_by else "")


class Untagged(Tagged):
    """A tag that the customer lost."""

    at = "removed_at"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Tagging.objects.filter(customer=customer, removed_at__isnull=False)

    def told(self, tagging: Tagging) -> Told:
        """The line for one of them."""
        return Told("sell", f"Lost the tag “{tagging.tag}”", f"by {tagging.removed_by}" if tagging.removed_by else "")


class Edited(Source):
    """What staff changed on the customer's form."""

    group, permission, at = "staff", "store.change_customer", "action_time"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        kind = ContentType.objects.get_for_model(Customer)
        return LogEntry.objects.filter(content_type=kind, object_id=str(customer.pk))

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        entries = LogEntry.objects.filter(pk__in=numbers).select_related("user")
        return {each.pk: Told("edit", each.get_change_message() or str(each), f"by {each.user}") for each in entries}


class Happened(Source):
    """Any other event, such as a visit, a cart or an answer."""

    group, permission, at = "events", "store.view_event", "occurred_at"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        by_staff = Q(name="customer_updated", source="admin")
        return Event.objects.filter(customer=customer).exclude(Q(name__in=TOLD_ELSEWHERE) | by_staff)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        told = tell(Event.objects.filter(pk__any=numbers))
        return {each["event"].pk: Told("bolt", each["label"], each["known"], link=link(each["event"])) for each in told}
