from collections.abc import Iterator

from django.db import models

from loyaltyflow.store.models import Customer
from segments.conditions import Condition

from ..graph import Revision
from ..trees import copied_tree, refer_to
from .base import Batch, Node


class If(Node):
    """Sends customers one way if a condition holds at that moment, the other way if not."""

    icon = "alt_route"
    outlets = ("yes", "no")

    condition = models.OneToOneField(Condition, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = "if"

    def summary(self) -> str:
        return f"If the customer {self.condition.summary()}"

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        holds = Customer.objects.filter(self.condition.q(batch.now), pk__any=list(batch.customers.values()))
        met = set(holds.values_list("pk", flat=True))
        yield "yes", [pk for pk, customer in batch.customers.items() if customer in met]
        yield "no", [pk for pk, customer in batch.customers.items() if customer not in met]

    def copied_to(self, revision: Revision) -> Node:
        return If.objects.create(name=self.name, condition=copied_tree(self.condition), revision=revision)

    def refer_to(self, copies: dict[int, Node]) -> None:
        refer_to(self.condition, copies)
