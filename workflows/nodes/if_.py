from collections.abc import Iterator, Sequence

from django.db import models

from loyaltyflow.store.models import Customer
from segments.conditions import Condition
from segments.conditions.base import plant, prefetch_references

from ..graph import Revision
from .base import Batch, Node


class If(Node):
    """Sends customers one way if a condition holds at that moment, the other way if not."""

    icon = "alt_route"
    outlets = ("yes", "no")

    condition = models.OneToOneField(Condition, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = verbose_name_plural = "if"

    def summary(self) -> str:
        return f"If they {self.condition.summary()}"

    def problems(self) -> list[str]:
        if self.condition.takes_parts and not self.condition.parts():
            return [*super().problems(), "A step “if” asks nothing yet. Open it and add a condition."]
        return super().problems()

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        holds = Customer.objects.filter(self.condition.q(batch.now), pk__any=list(batch.customers.values()))
        met = set(holds.values_list("pk", flat=True))
        yield "yes", [pk for pk, customer in batch.customers.items() if customer in met]
        yield "no", [pk for pk, customer in batch.customers.items() if customer not in met]

    def copied_to(self, revision: Revision) -> Node:
        return If.objects.create(name=self.name, condition=self.condition.copy(), revision=revision)

    def refer_to(self, copies: dict[int, Node]) -> None:
        """Let every question about a step mean the step's copy."""
        for condition in self.condition.walk():
            for field in condition._meta.concrete_fields:
                asks_for_a_step = isinstance(field, models.ForeignKey) and issubclass(field.related_model, Node)
                if asks_for_a_step and getattr(condition, field.attname) in copies:
                    setattr(condition, field.name, copies[getattr(condition, field.attname)])
                    condition.save(update_fields=[field.name])

    @classmethod
    def load_references(cls, steps: Sequence[Node]) -> None:
        """With the conditions, the trees below them and what those name."""
        super().load_references(steps)
        tops = [step.condition for step in steps if isinstance(step, If)]
        plant(tops)
        prefetch_references(each for top in tops for each in top.walk())


def _must_be_draft(top: int) -> None:
    """Raise ValidationError if the condition with that id is asked by a step that customers walk through."""
    for revision in If.objects.non_polymorphic().filter(condition=top).values_list("revision_id", flat=True):
        Revision.must_be_draft(revision)


Condition.guards.append(_must_be_draft)
