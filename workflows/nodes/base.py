from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Q, prefetch_related_objects
from polymorphic.models import PolymorphicModel

from loyaltyflow.store.events import EventQuerySet
from loyaltyflow.store.models import Customer
from segments.conditions.base import Explanation

from ..graph import Edge, Revision
from ..paths import Flow

if TYPE_CHECKING:
    from ..enrolments import EnrolmentQuerySet


@dataclass
class Batch:
    """The claimed enrolments that one node acts on at once: enrolment id → customer id, none in it twice.

    A node writes into `reasons` (enrolment id → a sentence) why one leaves without what the step is for.
    """

    customers: dict[int, int]
    enrolments: "EnrolmentQuerySet"
    now: datetime
    reasons: dict[int, str] = field(default_factory=dict)

    @property
    def ids(self) -> list[int]:
        return list(self.customers)


class Node(PolymorphicModel):
    """One step of a workflow.

    Each type is one class in one file: its docstring is the help text that staff read, its fields are its form,
    `summary()` is its sentence, and `run()` does its work for many customers at once.
    """

    icon: ClassVar[str] = "radio_button_checked"
    outlets: ClassVar[tuple[str, ...]] = ("next",)
    is_trigger: ClassVar[bool] = False
    is_message: ClassVar[bool] = False
    needs_message_after: ClassVar[bool] = False

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="nodes")
    name = models.CharField(max_length=80, blank=True, help_text="Empty: its sentence.")

    class Meta:
        ordering = ["pk"]
        verbose_name = "step"

    def __str__(self) -> str:
        return self.name or self.summary()

    @property
    def is_notice(self) -> bool:
        """Whether it tells the customer of points that steps before it gave."""
        return False

    @property
    def label(self) -> str:
        """What other sentences call it, between quotation marks."""
        return str(self)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuse changes to a revision that customers walk through."""
        Revision.must_be_draft(self.revision_id)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse to take a step out of a revision that customers walk through."""
        Revision.must_be_draft(self.revision_id)
        return super().delete(*args, **kwargs)

    def clean(self) -> None:
        """Refuse changes to a revision that customers walk through, before they are tried."""
        super().clean()
        if self.revision_id:
            Revision.must_be_draft(self.revision_id)

    def summary(self) -> str:
        """What the step does, as one sentence."""
        raise NotImplementedError(f"{type(self).__name__} must define summary().")

    def problems(self) -> list[str]:
        """What keeps the workflow from going live, each as a sentence that says what to do."""
        connected = {edge.outlet for edge in self.edges.all()}
        return [
            f"“{self}” has no step after “{outlet}”. Connect it to a step or an end."
            for outlet in self.outlets
            if outlet not in connected
        ]

    def problems_in(self, flow: Flow) -> list[str]:
        """What keeps the workflow from going live, seen from this step with all that stand before and after it."""
        return []

    def warnings_in(self, flow: Flow) -> list[str]:
        """What had better be changed, though it is no fault, seen from this step with all the others."""
        return []

    def mentions(self) -> frozenset[str]:
        """The prefixes of the variables that the step tells the customer, such as voucher."""
        return frozenset()

    def due(self, now: datetime) -> datetime:
        """When the node acts on those who arrive at `now`."""
        return now

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        """Act on the whole batch; yield each outlet with the ids of the enrolments that leave by it."""
        raise NotImplementedError(f"{type(self).__name__} must define run().")

    def starters(self, events: EventQuerySet, now: datetime) -> EventQuerySet:
        """Those of the events that make their customers enter; only a trigger has any."""
        return events.none()

    def leavers(self, events: EventQuerySet) -> EventQuerySet:
        """Those of the events that make their customers leave on the way; only a trigger has any."""
        return events.none()

    def stays(self, now: datetime) -> Q | None:
        """Which enrolments may go on, as this trigger sees it at `now`; None: all."""
        return None

    def explained(self, customer: Customer, since: datetime, now: datetime) -> Explanation:
        """Whether this trigger, live since then, has let the customer in or would; only a trigger knows."""
        raise NotImplementedError(f"{type(self).__name__} is no trigger, or must define explained().")

    def leads_to(self, target: "Node", outlet: str = "next") -> "Node":
        """The target, after connecting this node's outlet to it."""
        Edge.objects.update_or_create(source=self, outlet=outlet, defaults={"target": target})
        return target

    def copied_to(self, revision: Revision) -> "Node":
        """A copy of the step, without its edges, in a draft revision."""
        return type(self).objects.create(**self._own_values(), revision=revision)

    def refer_to(self, copies: dict[int, "Node"]) -> None:
        """Let what this copied step says of other steps mean their copies (old id → copy)."""

    @classmethod
    def load_references(cls, steps: Sequence["Node"]) -> None:
        """Load what these steps, all of this type, refer to."""
        own = [field.name for field in cls._meta.local_fields if field.is_relation and not field.primary_key]
        prefetch_related_objects(steps, *own)

    def _own_values(self) -> dict[str, Any]:
        skipped = {"id", "polymorphic_ctype", "revision"}
        own = [each for each in self._meta.concrete_fields if each.name not in skipped and not each.primary_key]
        return {each.attname: getattr(self, each.attname) for each in own}


def load_references(nodes: Iterable[Node]) -> None:
    """Load what the steps refer to, such as templates and segments: the number of queries depends on their types."""
    by_type: dict[type[Node], list[Node]] = {}
    for node in nodes:
        by_type.setdefault(type(node), []).append(node)
    for kind, steps in by_type.items():
        kind.load_references(steps)
