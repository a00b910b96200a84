"""Walks of customers through workflows."""

from datetime import datetime
from random import Random

from loyaltyflow.store.models import Customer
from workflows.models import Enrolment, Revision, Workflow
from workflows.nodes.end import End

from . import happening, tell


@happening
def enter(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    workflow, last = _last(chance, customer)
    at = min(at, now)
    if workflow is None or (last and (last.ended_at is None or last.ended_at > at)):
        return
    revision = Revision.objects.get_or_create(workflow=workflow)[0]
    node = revision.nodes.first() or End.objects.create(revision=revision)
    moments = {"entered_at": at, "arrived_at": at, "due_at": at}
    walk = Enrolment.objects.create(workflow=workflow, revision=revision, customer=customer, node=node, **moments)
    tell("workflow_entered", customer, walk.entered_at, workflow=workflow.pk)


@happening
def end(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    workflow, last = _last(chance, customer)
    if last and last.ended_at is None:
        last.ended_at = max(min(at, now), last.entered_at)
        last.status = chance.choice(["completed", "exited"])
        last.save(update_fields=["ended_at", "status"])
        tell("workflow_left", customer, last.ended_at, workflow=workflow.pk, finished=last.status == "completed")


def _last(chance: Random, customer: Customer) -> tuple[Workflow | None, Enrolment | None]:
    """A workflow, and the customer's last walk through it."""
    workflows = list(Workflow.objects.order_by("pk"))
    if not workflows:
        return None, None
    workflow = chance.choice(workflows)
    return workflow, workflow.enrolments.filter(customer=customer).order_by("-entered_at", "-pk").first()
