from collections.abc import Iterator

from loyaltyflow.store.models import Customer
from segments import by_hand

from .base import Batch, Node
from .segment_step import SegmentStep


class AddToSegment(SegmentStep, Node):
    """Puts the customer into a segment that is filled by hand. Who is in it already stays in it."""

    icon = "group_add"

    class Meta:
        verbose_name = verbose_name_plural = "add to a segment"

    def summary(self) -> str:
        return f"Add to the segment “{self.segment}”"

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        people = Customer.objects.filter(pk__any=list(batch.customers.values()))
        by_hand.put_in(self.segment, people, batch.now, by=f"workflow “{self.revision.workflow}”")
        yield "next", batch.ids
