from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import models
from django.db.models import BigIntegerField, OuterRef, Subquery, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Concat

from loyaltyflow.store.clock import present, store
from loyaltyflow.store.models import Event
from loyaltyflow.store.templatetags.figures import moment
from loyaltyflow.words import number
from rewards import assigning
from rewards.models import Discount

from ..paths import Flow
from .base import Batch, Node


class AssignVoucher(Node):
    """Gives the customer a voucher: a code of their own for a discount.

    Messages after it can say the code. Who gets none, because no code is left or the discount is off, goes another way.
    """

    icon = "confirmation_number"
    outlets = ("next", "none left")

    discount = models.ForeignKey(
        Discount,
        on_delete=models.PROTECT,
        related_name="+",
        limit_choices_to={"is_active": True},
        error_messages={"invalid": "Choose a discount that is active. Others are not given to anybody."},
        help_text="What the voucher is for.",
    )

    class Meta:
        verbose_name = verbose_name_plural = "assign a voucher"

    def summary(self) -> str:
        return f"Assign a voucher “{self.discount}”"

    def problems(self) -> list[str]:
        if not self.discount.is_active:
            sentence = f"“{self}” gives the discount “{self.discount}”, which is not active. Switch it on."
            return [*super().problems(), sentence]
        return super().problems()

    def problems_in(self, flow: Flow) -> list[str]:
        """The discount must last until whoever enters now has got the voucher and the last message about it."""
        ends, now = self.discount.ends_at, store().local(present())
        here = flow.latest_from_start(now).get(self.pk)
        if ends is None or here is None:
            return []
        last = max([here, *(at for _, at in self._messages(flow, here))])
        if ends > last:
            return []
        when = "has ended" if ends <= now else f"ends on {moment(ends)}, before its last use"
        return [f"“{self}” gives the discount “{self.discount}”, which {when}. Let it end later or choose another."]

    def warnings_in(self, flow: Flow) -> list[str]:
        """A message about the voucher that may come when its time is over."""
        days, now = self.discount.valid_days, store().local(present())
        if days is None:
            return []
        return [
            f"“{later}” can come {number((at - now).days, 'day')} after “{self}”, whose voucher lasts for "
            f"{number(days, 'day')}: by then it is over. Send it earlier or let the voucher last longer."
            for later, at in self._messages(flow, now)
            if at - now > timedelta(days=days)
        ]

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        given = assigning.assign(
            batch.enrolments,
            self.discount,
            origin=Concat(Value(self.origin), Cast("pk", TextField()), output_field=TextField()),
            customer="customer_id",
            now=batch.now,
            workflow=self.revision.workflow_id,
            order=_order_of_entry(),
        )
        without = {pk for pk in batch.ids if f"{self.origin}{pk}" in given.without}
        yield "next", [pk for pk in batch.ids if pk not in without]
        yield "none left", list(without)

    @property
    def origin(self) -> str:
        """What the vouchers of this step begin to be called by; the enrolment's number follows."""
        return f"node:{self.pk}:"

    def _messages(self, flow: Flow, left: datetime) -> list[tuple[Node, datetime]]:
        """The later messages that speak of a voucher, and when they come at the latest."""
        later = flow.after(self, left)
        return [(node, at) for node, at in later if node.is_message and "voucher" in node.mentions()]


def _order_of_entry() -> Subquery:
    """The order that made the customer enter: a voucher for the next one is not valid on it."""
    entry = Event.objects.filter(pk=OuterRef("entry_event"), name__startswith="order_")
    told = Cast(KeyTextTransform("order", "properties"), BigIntegerField())
    return Subquery(entry.annotate(told=told).values("told")[:1])
