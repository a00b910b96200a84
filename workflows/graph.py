from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from messaging.models import Campaign

from .paths import problems_of, warnings_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from .nodes.base import Node


class WorkflowQuerySet(models.QuerySet["Workflow"]):
    def moving(self) -> "WorkflowQuerySet":
        """Workflows whose customers go on."""
        return self.filter(status__in=[Workflow.Status.LIVE, Workflow.Status.FINISHING])

    def with_counts(self) -> "WorkflowQuerySet":
        """Each with how many customers are `inside` now, and how many `entered` and `completed` it, ever."""
        enrolments = Workflow._meta.get_field("enrolments").related_model._default_manager
        here = enrolments.filter(workflow=OuterRef("pk")).order_by().values("workflow").annotate(count=Count("pk"))
        counts = {"inside": here.filter(status="active"), "entered": here, "completed": here.filter(status="completed")}
        return self.annotate(**{name: Coalesce(Subquery(rows.values("count")), 0) for name, rows in counts.items()})

    def end_finished(self) -> int:
        """How many finishing workflows ended, because nobody is in them any more."""
        enrolments = Workflow._meta.get_field("enrolments").related_model._default_manager
        inside = enrolments.filter(workflow=OuterRef("pk"), status="active")
        return self.filter(~Exists(inside), status=Workflow.Status.FINISHING).update(status=Workflow.Status.ENDED)


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

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the campaign that its results are counted under, by the same name."""
        with transaction.atomic():
            if not self.campaign_id:
                self.campaign = Campaign.objects.create(name=self.name)
            super().save(*args, **kwargs)
            Campaign.objects.filter(pk=self.campaign_id).exclude(name=self.name).update(name=self.name)

    @property
    def live(self) -> "Revision | None":
        """The revision that new customers enter."""
        return self.revisions.filter(status=Revision.Status.LIVE).first()

    def keeps_out(self, now: datetime) -> Q:
        """Which earlier enrolments of a customer keep the customer from entering at `now`."""
        if self.reentry == self.Reentry.ONCE:
            return Q()
        if self.reentry == self.Reentry.EVERY_TIME:
            return Q(status="active")
        return Q(status="active") | Q(entered_at__gt=now - timedelta(days=self.reentry_days or 0))

    def draft(self) -> "Revision":
        """The revision that is being worked on; if there is none, a copy of the live one or an empty one."""
        with transaction.atomic():
            Workflow.objects.select_for_update().get(pk=self.pk)
            if draft := self.revisions.filter(status=Revision.Status.DRAFT).first():
                return draft
            last = self.revisions.first()
            draft = self.revisions.create(number=last.number + 1 if last else 1)
            if live := self.live:
                live.copy_steps_to(draft)
            return draft

    def publish(self, now: datetime, by: "User | None" = None) -> "Revision":
        """The draft, now live: customers enter it from `now` on, those inside stay on theirs.

        Raises ValidationError with a sentence for each thing that is missing. A paused workflow stays paused.
        """
        with transaction.atomic():
            workflow = Workflow.objects.select_for_update().get(pk=self.pk)
            draft = workflow.revisions.filter(status=Revision.Status.DRAFT).first()
            if draft is None:
                raise ValidationError("There is no draft to publish. Make a new draft of the workflow first.")
            if problems := draft.problems():
                raise ValidationError(problems)
            workflow.revisions.filter(status=Revision.Status.LIVE).update(status=Revision.Status.RETIRED)
            draft.status, draft.published_at, draft.published_by = Revision.Status.LIVE, now, by
            draft.save(update_fields=["status", "published_at", "published_by"])
            Workflow.objects.filter(pk=self.pk).exclude(status=Workflow.Status.PAUSED).update(status=self.Status.LIVE)
        self.refresh_from_db()
        return draft

    def pause(self) -> bool:
        """Whether it stopped: nobody enters, and nobody inside goes on, until it is resumed."""
        return self._become(self.Status.PAUSED, self.Status.LIVE, self.Status.FINISHING)

    def resume(self) -> bool:
        """Whether it went live again from a pause or from finishing."""
        return self._become(self.Status.LIVE, self.Status.PAUSED, self.Status.FINISHING)

    def finish(self) -> bool:
        """Whether it stopped taking new customers; those inside go on to their end."""
        return self._become(self.Status.FINISHING, self.Status.LIVE, self.Status.PAUSED)

    def _become(self, status: Status, *before: Status) -> bool:
        changed = Workflow.objects.filter(pk=self.pk, status__in=before).update(status=status)
        self.refresh_from_db(fields=["status"])
        return changed == 1


class RevisionQuerySet(models.QuerySet["Revision"]):
    def in_use(self) -> "RevisionQuerySet":
        """Revisions that customers enter, or that some are still in."""
        enrolments = self.model._meta.get_field("enrolments").related_model._default_manager
        inside = enrolments.filter(revision=OuterRef("pk"), workflow=OuterRef("workflow"), status="active")
        return self.filter(Q(status=Revision.Status.LIVE) | Exists(inside), published_at__isnull=False)


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

    objects = RevisionQuerySet.as_manager()

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

    @staticmethod
    def must_be_draft(pk: int) -> None:
        """Raise ValidationError unless the revision may still be changed."""
        revision = Revision.objects.get(pk=pk)
        if revision.status != Revision.Status.DRAFT:
            raise ValidationError(
                f"Revision {revision.number} is {revision.get_status_display().lower()} and no longer changes. "
                "Make a new draft of the workflow and change that."
            )

    def steps(self) -> dict[int, "Node"]:
        """Every node by its id, with its edges: as many queries as there are types of nodes, and two."""
        nodes = {node.pk: node for node in self.nodes.prefetch_related("edges")}
        for node in nodes.values():
            node.revision = self
        return nodes

    def problems(self) -> list[str]:
        """What keeps it from going live, each as a sentence that says what to do."""
        goal = [] if self.workflow.goal else ["The workflow has no goal. Say in a sentence what it should achieve."]
        return goal + problems_of(list(self.steps().values()))

    def warnings(self) -> list[str]:
        """What had better be changed before it goes live, each as a sentence."""
        return warnings_of(list(self.steps().values()))

    def copy_steps_to(self, draft: "Revision") -> None:
        """Write the same nodes, conditions and edges into the draft."""
        nodes = self.steps()
        copies = {pk: node.copied_to(draft) for pk, node in nodes.items()}
        for copy in copies.values():
            copy.refer_to(copies)
        for pk, node in nodes.items():
            for edge in node.edges.all():
                copies[pk].leads_to(copies[edge.target_id], edge.outlet)


class Edge(models.Model):
    """A way from one outlet of a node to the next node."""

    source = models.ForeignKey("workflows.Node", on_delete=models.CASCADE, related_name="edges", db_index=False)
    outlet = models.CharField(max_length=20, default="next")
    target = models.ForeignKey("workflows.Node", on_delete=models.CASCADE, related_name="incoming")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "outlet"], name="one_edge_per_node_and_outlet")]

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuse changes to a revision that customers walk through."""
        Revision.must_be_draft(self.source.revision_id)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse to take a way out of a revision that customers walk through."""
        Revision.must_be_draft(self.source.revision_id)
        return super().delete(*args, **kwargs)

    def clean(self) -> None:
        """Refuse ways to another revision."""
        super().clean()
        if self.source.revision_id != self.target.revision_id:
            raise ValidationError(f"“{self.target}” belongs to another revision. Choose a step of this one.")
