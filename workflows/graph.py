from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from messaging.models import Campaign


class WorkflowQuerySet(models.QuerySet["Workflow"]):
    def admitting(self) -> "WorkflowQuerySet":
        """Workflows that take new customers."""
        return self.filter(status=Workflow.Status.LIVE)

    def moving(self) -> "WorkflowQuerySet":
        """Workflows whose customers go on."""
        return self.filter(status__in=[Workflow.Status.LIVE, Workflow.Status.FINISHING])


class Workflow(models.Model):
    """A flow of steps that customers go through by themselves, and its all-time results."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        LIVE = "live", "Live"
        PAUSED = "paused", "Paused"
        FINISHING = "finishing", "Finishing: takes nobody new"
        ENDED = "ended", "Ended"

    class Reentry(models.TextChoices):
        ONCE = "once", "Once ever"
        EVERY_TIME = "every_time", "Every time, once out of it"
        AFTER_DAYS = "after_days", "Again after some days"

    name = models.CharField(max_length=120, unique=True, help_text="Customers never see it.")
    campaign = models.OneToOneField(Campaign, on_delete=models.PROTECT, related_name="workflow", editable=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    goal = models.CharField(max_length=200, blank=True, help_text="What it should achieve, in a sentence.")
    goal_event = models.CharField(
        max_length=60, blank=True, default="order_completed", help_text="The event that counts as achieving it."
    )
    goal_days = models.PositiveSmallIntegerField(
        default=30, validators=[MinValueValidator(1), MaxValueValidator(365)], help_text="Days in which it must happen."
    )
    reentry = models.CharField("can enter", max_length=12, choices=Reentry.choices, default=Reentry.ONCE)
    reentry_days = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Days since entering it last.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkflowQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(reentry="after_days") | Q(reentry_days__gte=1),
                name="entering_again_after_days_says_how_many",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Revision(models.Model):
    """One edition of a workflow's steps; once live it is never changed, and customers stay on the one they entered."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        LIVE = "live", "Live"
        RETIRED = "retired", "Retired"

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="revisions", db_index=False)
    number = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["workflow", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="one_revision_per_workflow_and_number"),
            models.UniqueConstraint(
                fields=["workflow"], condition=Q(status="live"), name="one_live_revision_per_workflow"
            ),
            models.UniqueConstraint(
                fields=["workflow"], condition=Q(status="draft"), name="one_draft_revision_per_workflow"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow}, revision {self.number}"


class Edge(models.Model):
    """A way from one outlet of a node to the next node."""

    source = models.ForeignKey("workflows.Node", on_delete=models.CASCADE, related_name="edges", db_index=False)
    outlet = models.CharField(max_length=20, default="next")
    target = models.ForeignKey("workflows.Node", on_delete=models.CASCADE, related_name="incoming")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "outlet"], name="one_edge_per_node_and_outlet")]

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"
