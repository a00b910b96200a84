"""Why a customer did, or did not, get into a segment or a workflow."""

from datetime import datetime
from typing import Any

from loyaltyflow.store.models import Customer
from segments.admin.counted import turned
from segments.admin.page import answers, sentence
from segments.models import Segment
from workflows.models import Workflow
from workflows.why import explained


def choices(user: Any) -> list[dict[str, Any]]:
    """What can be asked about: the segments and the workflows that the user may see."""
    segments = Segment.objects.shown().order_by("name").values_list("pk", "name")
    workflows = Workflow.objects.exclude(status=Workflow.Status.DRAFT).order_by("name").values_list("pk", "name")
    found = [
        {"label": "Segments", "rows": [(f"segment:{pk}", name) for pk, name in segments]}
        if user.has_perm("segments.view_segment")
        else {},
        {"label": "Workflows", "rows": [(f"workflow:{pk}", name) for pk, name in workflows]}
        if user.has_perm("workflows.view_workflow")
        else {},
    ]
    return [each for each in found if each.get("rows")]


def answer(customer: Customer, user: Any, wanted: str, now: datetime) -> dict[str, Any]:
    """The answer to what the address asks, such as segment:12; nothing if there is no such thing or it is hidden."""
    kind, _, number = wanted.partition(":")
    asked = ASKED.get(kind)
    if asked is None or not number.isdecimal() or len(number) > 18 or not user.has_perm(asked[0]):
        return {}
    return asked[1](customer, int(number), now)


def _segment(customer: Customer, pk: int, now: datetime) -> dict[str, Any]:
    segment = Segment.objects.shown().filter(pk=pk).first()
    if segment is None:
        return {}
    why = segment.explain(customer, now)
    is_in = segment.memberships.at(now).filter(customer=customer).exists()
    return {
        "is_in": is_in,
        "verdict": "is in this segment" if is_in else "is not in this segment",
        "asked_of": sentence(segment),
        "turned": turned(segment.root, customer, now) if segment.root else "",
        **answers(segment, why),
    }


def _workflow(customer: Customer, pk: int, now: datetime) -> dict[str, Any]:
    workflow = Workflow.objects.filter(pk=pk).first()
    if workflow is None:
        return {}
    found = explained(workflow, customer, now)
    return {"is_in": found.is_in, "verdict": found.verdict, "asked_of": found.asked, "reasons": found.reasons}


ASKED: dict[str, tuple[str, Any]] = {
    "segment": ("segments.view_segment", _segment),
    "workflow": ("workflows.view_workflow", _workflow),
}
