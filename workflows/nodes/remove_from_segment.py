from collections.abc import Iterator

from loyaltyflow.store.models import Customer
from segments import by_hand

from .base import Batch, Node
from .segment_step import SegmentStep


class RemoveFromSegment(SegmentStep, Node):
    """Takes the customer out of a segment that is filled by hand. Who is not in it goes on all the same."""

    icon = "group_remove"

    class Meta:
        verbose_name = verbose_name_plural = "remove from a segment"

    def summary(self) -> str:
        return f"Remove from the segment “{self.segment}”"

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        people = Customer.objects.filter(pk__any=list(batch.customers.values()))
        by_hand.take_out(self.segment, people, batch.now, by=f"workflow “{self.revision.workflow}”")
        yield "next", batch.ids
