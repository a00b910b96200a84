from datetime import datetime, timedelta

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import Exists, ExpressionWrapper, OuterRef, Q, TextField, Value
from django.db.models.functions import Cast, Concat, JSONObject

from loyaltyflow.sql import compiled, insert_select
from loyaltyflow.store.models import Customer, Event

from .graph import Revision, Workflow
from .nodes import Node

# Whoever is still in it leaves it, once, and each leaving is an event: one statement, however many they are. The array
# keeps PostgreSQL from joining the table with itself in a loop while it does not know yet how many are in it.
END = """
WITH ended AS (
    UPDATE workflows_enrolment SET status = %s, outcome = %s, ended_at = %s
    WHERE id = ANY(ARRAY({rows})) AND status = 'active'
    RETURNING id, customer_id, workflow_id
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT 'workflow_left', customer_id, %s, 'workflows', 'workflow_left:' || id,
        jsonb_build_object('workflow', workflow_id, 'finished', %s::boolean, 'outcome', %s::text)
    FROM ended
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM ended
"""


class EnrolmentQuerySet(models.QuerySet["Enrolment"]):
    def active(self) -> "EnrolmentQuerySet":
        return self.filter(status=Enrolment.Status.ACTIVE)

    def due(self, now: datetime) -> "EnrolmentQuerySet":
        """Active enrolments whose time at their node has come, in workflows that move."""
        return self.active().filter(due_at__lte=now, workflow__in=Workflow.objects.moving())

    def under_way(self, now: datetime) -> "EnrolmentQuerySet":
        """Those that had begun and had not ended at `now`."""
        return self.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=now), entered_at__lte=now)

    def complete(self, outcome: str, now: datetime) -> int:
        """How many came to an end, which is called `outcome`; each is an event."""
        return self._end(Enrolment.Status.COMPLETED, outcome, now)

    def leave(self, outcome: str, now: datetime) -> int:
        """How many left on the way, because of `outcome`; each is an event."""
        return self._end(Enrolment.Status.EXITED, outcome, now)

    def _end(self, status: str, outcome: str, now: datetime) -> int:
        try:
            rows, known = compiled(self.active().order_by().values("pk"))
        except EmptyResultSet:
            return 0
        finished = status == Enrolment.Status.COMPLETED
        with connections[self.db].cursor() as cursor:
            cursor.execute(END.format(rows=rows), [status, outcome, now, *known, now, finished, outcome])
            return int(cursor.fetchone()[0])

    def tell_entered(self) -> int:
        """The number of workflow_entered events that were news: one for each of these enrolments."""
        return insert_select(
            Event,
            self,
            {
                "name": Value("workflow_entered"),
                "customer": "customer_id",
                "occurred_at": "entered_at",
                "source": Value("workflows"),
                "key": Concat(Value("workflow_entered:"), Cast("pk", TextField()), output_field=TextField()),
                "properties": JSONObject(workflow="workflow_id"),
            },
            ignore_conflicts=True,
        )

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
