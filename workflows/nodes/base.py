from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from polymorphic.models import PolymorphicModel

from ..graph import Edge, Revision

if TYPE_CHECKING:
    from ..enrolments import EnrolmentQuerySet


@dataclass
class Batch:
    """The claimed enrolments that one node acts on at once: enrolment id → customer id, none in it twice."""

    customers: dict[int, int]
    enrolments: "EnrolmentQuerySet"
    now: datetime

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

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="nodes")
    name = models.CharField(max_length=80, blank=True, help_text="Empty: its sentence.")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name or self.summary()

    def clean(self) -> None:
        """Refuse changes to a revision that customers walk through."""
        super().clean()
        if self.revision_id and self.revision.status != Revision.Status.DRAFT:
            raise ValidationError(
                f"Revision {self.revision.number} is {self.revision.get_status_display().lower()} and no longer changes. "
                "Make a new draft of the workflow and change that."
            )

    def summary(self) -> str:
        """What the step does, as one sentence."""
        raise NotImplementedError(f"{type(self).__name__} must define summary().")

    def problems(self) -> list[str]:
        """What keeps the workflow from going live, each as a sentence that says what to do."""
        missing = [outlet for outlet in self.outlets if outlet not in {edge.outlet for edge in self.edges.all()}]
        return [f"“{self}” has no step after “{outlet}”. Connect it to a step or an end." for outlet in missing]

    def due(self, now: datetime) -> datetime:
        """When the node acts on those who arrive at `now`."""
        return now

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        """Act on the whole batch; yield each outlet with the ids of the enrolments that leave by it."""
        raise NotImplementedError(f"{type(self).__name__} must define run().")

    def leads_to(self, target: "Node", outlet: str = "next") -> "Node":
        """The target, after connecting this node's outlet to it."""
        Edge.objects.update_or_create(source=self, outlet=outlet, defaults={"target": target})
        return target
