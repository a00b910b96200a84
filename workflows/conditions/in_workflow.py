from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer, Event
from loyaltyflow.words import strong
from segments.comparisons.window import InWindow
from segments.conditions import Condition

from ..enrolments import Enrolment
from ..graph import Workflow


class Walk(models.TextChoices):
    IS_IN = "is_in", "is in it now"
    ENTERED = "entered", "has been in it"
    NEVER = "never_entered", "has not been in it"
    FINISHED = "finished", "came to its end"
    LEFT = "left_early", "left it on the way"
    REACHED = "reached_goal", "reached its goal"


IN_A_TIME = {str(each) for each in list(Walk)[1:]}
STATUS = {Walk.FINISHED: Enrolment.Status.COMPLETED, Walk.LEFT: Enrolment.Status.EXITED}


class InWorkflow(InWindow, Condition):
    """Is in a workflow, has been in it or not, came to its end, or reached its goal.

    What counts as the goal, and the days in which it must happen after entering, stand at the workflow. “Has been in
    it” counts those who entered it in the time that is asked for.
    """

    icon = "account_tree"
    shelf = "Workflows"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"workflow": "Winback"},
        {"workflow": "Winback", "operator": "entered", "window_days": 90},
        {"workflow": "Winback", "operator": "never_entered", "since_own": "loyalty_joined_at"},
        {"workflow": "Winback", "operator": "finished", "window_days": 30},
        {"workflow": "Winback", "operator": "left_early", "since": date(2026, 9, 1), "until": date(2026, 11, 20)},
        {"workflow": "Winback", "operator": "reached_goal"},
    ]
    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = dict.fromkeys(
        ("window_days", "since", "until", "since_own"), ("operator", IN_A_TIME)
    )

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    operator = models.CharField("the customer", max_length=13, choices=Walk.choices, default=Walk.IS_IN)

    class Meta:
        verbose_name = "in a workflow"

    def clean(self) -> None:
        """Refuse to ask for the goal of a workflow that counts nothing as one."""
        super().clean()
        if self.operator == Walk.REACHED and self.workflow_id and not self.workflow.goal_event:
            reason = f"“{self.workflow}” has no event that counts as its goal. Choose one on the workflow's page."
            raise ValidationError({"workflow": reason})

    def wording(self) -> list[Any]:
        """With what counts as the goal, so that everybody is judged again when staff change that."""
        goal = [self.workflow.goal_event, self.workflow.goal_days] if self.operator == Walk.REACHED else []
        return [*super().wording(), *goal]

    def q(self, now: datetime) -> Q:
        if self.operator == Walk.IS_IN:
            return Q(Exists(self._walks(OuterRef("pk")).under_way(now)))
        found = Q(Exists(self._found(now)))
        return ~found if self.operator == Walk.NEVER else found

    def flips(self, now: datetime) -> Combinable | None:
        """When the last one falls out of the time; entering, leaving and reaching the goal are events."""
        if self.operator == Walk.IS_IN or self.window_days is None:
            return None
        last = self._found(now).order_by(f"-{self._column}").values(self._column)[:1]
        return self.falls_out(Subquery(last), now)

    def phrase(self) -> str:
        workflow = f"the workflow “{strong(self.workflow)}”"
        phrases = {
            Walk.IS_IN: f"are in {workflow}",
            Walk.ENTERED: f"have been in {workflow}",
            Walk.NEVER: f"have {strong('not' if self.when() else 'never')} been in {workflow}",
            Walk.FINISHED: f"came to the end of {workflow}",
            Walk.LEFT: f"left {workflow} {strong('on the way')}",
            Walk.REACHED: f"reached the goal of {workflow}",
        }
        return phrases[Walk(self.operator)] + (self.when() if self.asks("window_days") else "")

    def seen(self, customer: Customer, now: datetime) -> str:
        last = self._walks(customer.pk).filter(entered_at__lte=now).order_by("-entered_at", "-pk").first()
        if last is None:
            return "never entered"
        entered = f"entered on {last.entered_at.astimezone(now.tzinfo):%Y-%m-%d}"
        if last.ended_at is None or last.ended_at > now:
            return entered
        return f"{entered}, out since {last.ended_at.astimezone(now.tzinfo):%Y-%m-%d}: {last.outcome}"

    @property
    def _column(self) -> str:
        """Where the instant stands that must lie in the time."""
        if self.operator == Walk.REACHED:
            return "occurred_at"
        return "ended_at" if self.operator in STATUS else "entered_at"

    def _walks(self, customer: Any) -> Any:
        return Enrolment.objects.filter(workflow=self.workflow_id, customer=customer)

    def _found(self, now: datetime) -> QuerySet[Any]:
        """What makes the answer yes (no, for “has not been in it”): the customer's walks, or what reached the goal."""
        inside = self.inside(self._column, now)
        if self.operator == Walk.REACHED:
            begin = ExpressionWrapper(
                OuterRef("occurred_at") - timedelta(days=self.workflow.goal_days), models.DateTimeField()
            )
            walks = self._walks(OuterRef("customer")).filter(
                entered_at__lt=OuterRef("occurred_at"), entered_at__gte=begin
            )
            done = Event.objects.filter(customer=OuterRef("pk"), name=self.workflow.goal_event)
            return done.filter(inside, Exists(walks))
        walks = self._walks(OuterRef("pk")).filter(inside)
        status = STATUS.get(Walk(self.operator))
        return walks.filter(status=status) if status else walks
