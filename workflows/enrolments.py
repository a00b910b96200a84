from datetime import datetime, timedelta

from django.db import models
from django.db.models import Exists, ExpressionWrapper, OuterRef, Q

from loyaltyflow.store.models import Customer, Event

from .graph import Revision, Workflow
from .nodes import Node


class EnrolmentQuerySet(models.QuerySet["Enrolment"]):
    def active(self) -> "EnrolmentQuerySet":
        return self.filter(status=Enrolment.Status.ACTIVE)

    def due(self, now: datetime) -> "EnrolmentQuerySet":
        """Active enrolments whose time at their node has come, in workflows that move."""
        return self.active().filter(due_at__lte=now, workflow__in=Workflow.objects.moving())

    def complete(self, outcome: str, now: datetime) -> int:
        """How many came to an end, which is called `outcome`."""
        return self.active().update(status=Enrolment.Status.COMPLETED, outcome=outcome, ended_at=now)

    def leave(self, outcome: str, now: datetime) -> int:
        """How many left on the way, because of `outcome`."""
        return self.active().update(status=Enrolment.Status.EXITED, outcome=outcome, ended_at=now)

    def that_reached(self, goal_event: str, days: int) -> "EnrolmentQuerySet":
        """Those whose customer did what the workflow is for, within so many days after entering it."""
        until = ExpressionWrapper(OuterRef("entered_at") + timedelta(days=days), models.DateTimeField())
        done = Event.objects.filter(customer=OuterRef("customer"), name=goal_event, occurred_at__lte=until)
        return self.filter(Exists(done.filter(occurred_at__gt=OuterRef("entered_at"))))


class Enrolment(models.Model):
    """One customer's walk through one revision of a workflow."""

    class Status(models.TextChoices):
        ACTIVE = "active", "In it"
        COMPLETED = "completed", "Came to an end"
        EXITED = "exited", "Left on the way"

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="enrolments", db_index=False)
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="enrolments", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="enrolments")
    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="enrolments", db_index=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE, db_default=Status.ACTIVE)
    outcome = models.CharField(
        max_length=60, blank=True, default="", db_default="", help_text="The end it came to, or why it left."
    )
    entered_at = models.DateTimeField()
    arrived_at = models.DateTimeField(help_text="At the node it stands at.")
    due_at = models.DateTimeField(help_text="When the node acts.")
    ended_at = models.DateTimeField(null=True, blank=True)
    entry_event = models.ForeignKey(
        Event, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )

    objects = EnrolmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "customer"],
                condition=Q(status="active"),
                name="one_active_enrolment_per_customer_and_workflow",
            )
        ]
        indexes = [
            models.Index(fields=["node", "due_at"], name="enrolment_due", condition=Q(status="active")),
            models.Index(fields=["workflow", "entered_at"], name="enrolment_by_entry"),
        ]

    def __str__(self) -> str:
        return f"{self.customer} in {self.workflow}"


class Step(models.Model):
    """One visit of an enrolment to a node, written when it leaves."""

    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="steps", db_index=False)
    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="steps")
    arrived_at = models.DateTimeField()
    left_at = models.DateTimeField()
    outlet = models.CharField(max_length=20, blank=True, default="", db_default="")
    reason = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        ordering = ["arrived_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["enrolment", "node"], name="one_step_per_enrolment_and_node")]

    def __str__(self) -> str:
        return f"{self.node}"
