from typing import Any

from django.db import models

from loyaltyflow.words import strong

from ..enrolments import Enrolment, Step
from ..nodes import Node


class SinceStep(models.Model):
    """Looks only at what happened after the customer left an earlier step of this workflow."""

    step = models.ForeignKey(
        Node,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="What happened after the customer left this step counts. The workflow's start: since entering it.",
    )

    class Meta:
        abstract = True

    def visits(self, customer: Any) -> models.QuerySet[Step]:
        """The customer's visit of the step, on the walk that is under way."""
        active = Enrolment.Status.ACTIVE
        return Step.objects.filter(node=self.step_id, enrolment__customer=customer, enrolment__status=active)

    def since(self) -> str:
        """The time as the end of a phrase: since “Send the offer”."""
        return f"since {strong('entering')}" if self.step.is_trigger else f"since “{strong(self.step.label)}”"
