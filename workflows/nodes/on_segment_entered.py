from datetime import datetime

from django.db import models
from django.db.models import Exists, OuterRef, Q

from loyaltyflow.store.events import EventQuerySet
from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import moment
from loyaltyflow.words import drawn, strong
from segments.conditions.base import Explanation
from segments.models import Membership, Segment

from .base import Node


class OnSegmentEntered(Node):
    """Starts when a customer enters a segment."""

    icon = "filter_alt"
    is_trigger = True

    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="triggers")
    exit_on_leave = models.BooleanField(
        "stop when they leave it", default=True, help_text="Customers who fall out of the segment leave the workflow."
    )

    class Meta:
        verbose_name = verbose_name_plural = "start: when someone enters a segment"

    def summary(self) -> str:
        return f"When someone enters the segment “{self.segment}”"

    def problems(self) -> list[str]:
        if not self.segment.is_static and not self.segment.is_active:
            sentence = f"“{self}” starts with the segment “{self.segment}”, which is not active. Activate the segment."
            return [*super().problems(), sentence]
        return super().problems()

    def starters(self, events: EventQuerySet, now: datetime) -> EventQuerySet:
        entered = events.named("segment_entered").filter(properties__segment=self.segment_id)
        return entered.filter(self._members(now)) if self.exit_on_leave else entered

    def leavers(self, events: EventQuerySet) -> EventQuerySet:
        if not self.exit_on_leave:
            return events.none()
        return events.named("segment_left").filter(properties__segment=self.segment_id)

    def stays(self, now: datetime) -> Q | None:
        return Q(self._members(now)) if self.exit_on_leave else None

    def explained(self, customer: Customer, since: datetime, now: datetime) -> Explanation:
        """Whether the customer entered the segment since the workflow is live, and is still in it if that counts."""
        stays = Membership.objects.filter(segment=self.segment_id, customer=customer, joined_at__lte=now)
        last = stays.order_by("-joined_at", "-pk").first()
        sentence = drawn(f"Entered the segment {strong(self.segment)} since {moment(since)}")
        if last is None:
            return Explanation(sentence, False, "was never in it")
        is_in = last.left_at is None or last.left_at > now
        seen = f"entered {moment(last.joined_at)}" + ("" if is_in else f", left {moment(last.left_at)}")
        return Explanation(sentence, last.joined_at >= since and (is_in or not self.exit_on_leave), seen)

    def _members(self, now: datetime) -> Exists:
        members = Membership.objects.at(now).filter(segment=self.segment_id)
        return Exists(members.filter(customer=OuterRef("customer_id")))
