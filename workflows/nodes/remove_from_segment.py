from collections.abc import Iterator
from typing import Any

from django.db import models

from loyaltyflow.store.models import Customer
from segments import by_hand
from segments.models import Segment

from .add_to_segment import CURE
from .base import Batch, Node


class RemoveFromSegment(Node):
    """Takes the customer out of a segment that is filled by hand."""

    icon = "group_remove"

    segment = models.ForeignKey(
        Segment,
        on_delete=models.PROTECT,
        related_name="+",
        limit_choices_to={"kind": Segment.Kind.STATIC, "archived_at": None},
        error_messages={"invalid": CURE},
        help_text="One that is filled by hand. Who is not in it goes on all the same.",
    )

    class Meta:
        verbose_name = verbose_name_plural = "remove from a segment"

    def summary(self) -> str:
        return f"Remove from the segment “{self.segment}”"

    def problems(self) -> list[str]:
        if self.segment.archived_at:
            sentence = (
                f"“{self}” names the segment “{self.segment}”, which is archived. Bring it back, or choose another."
            )
            return [*super().problems(), sentence]
        return super().problems()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuse a segment that fills itself, however the step is made."""
        self.segment.must_be_static()
        super().save(*args, **kwargs)

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        people = Customer.objects.filter(pk__any=list(batch.customers.values()))
        by_hand.take_out(self.segment, people, batch.now, by=f"workflow “{self.revision.workflow}”")
        yield "next", batch.ids
