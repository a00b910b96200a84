"""Which workflows name a segment: in their trigger, in a step, or in a question that a step asks."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from django.db.models import Q
from django.urls import reverse

from segments.models import Segment, Use, trees_naming

from .graph import Revision, Workflow
from .nodes.base import Node
from .nodes.if_ import If


def workflows_naming(segment: Segment) -> Iterator[Use]:
    """One use for each workflow that names the segment in any of its editions."""
    steps = sorted(_steps_naming(segment), key=lambda step: (step.revision.workflow.name, step.pk))
    running = Revision.objects.in_use().exclude(workflow__status=Workflow.Status.ENDED)
    in_use = set(running.values_list("pk", flat=True)) if steps else set()
    for workflow, naming in groupby(steps, key=lambda step: step.revision.workflow):
        yield _use(workflow, list(naming), in_use)


def _use(workflow: Workflow, steps: list[Node], in_use: set[int]) -> Use:
    current = [step for step in steps if step.revision_id in in_use]
    takes_new = workflow.status == Workflow.Status.LIVE
    return Use(
        "workflow",
        workflow.name,
        reverse("admin:workflows_workflow_change", args=[workflow.pk]),
        is_live=bool(current),
        starts_on_entry=takes_new and any(_is_entrance(step) for step in current),
        drops_on_leave=any(step.is_trigger and getattr(step, "exit_on_leave", False) for step in current),
        is_past=not current and not any(step.revision.status == Revision.Status.DRAFT for step in steps),
    )


def _is_entrance(step: Node) -> bool:
    return step.is_trigger and step.revision.status == Revision.Status.LIVE


def _steps_naming(segment: Segment) -> Iterable[Node]:
    """The steps with a field that names it, whatever their type, and those that ask a question about it."""
    for kind in _types(Node):
        for name in [each.name for each in kind._meta.local_fields if each.related_model is Segment]:
            yield from kind._default_manager.filter(**{name: segment}).select_related("revision__workflow")
    tops = trees_naming(segment)
    yield from If.objects.filter(Q(condition__in=tops)).select_related("revision__workflow") if tops else ()


def _types(base: type[Node]) -> list[type[Node]]:
    return [kind for each in base.__subclasses__() for kind in [each, *_types(each)]]


Segment.uses.append(workflows_naming)
