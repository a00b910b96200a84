"""Which workflows name a segment: in their trigger, in a step, or in a question that a step asks."""

from collections.abc import Collection, Iterator
from itertools import groupby

from django.urls import reverse

from segments.models import Segment, Use
from segments.uses import trees_naming

from .graph import Revision, Workflow
from .nodes.base import Node
from .nodes.if_ import If


def workflows_naming(segments: Collection[int]) -> Iterator[tuple[int, Use]]:
    """One use for each workflow that names a segment in any of its editions."""
    named = sorted(_steps_naming(segments), key=lambda each: (each[0], each[1].revision.workflow.name, each[1].pk))
    running = Revision.objects.in_use().exclude(workflow__status=Workflow.Status.ENDED)
    in_use = set(running.values_list("pk", flat=True)) if named else set()
    for (pk, workflow), naming in groupby(named, key=lambda each: (each[0], each[1].revision.workflow)):
        yield pk, _use(workflow, [step for _, step in naming], in_use)


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


def _steps_naming(segments: Collection[int]) -> Iterator[tuple[int, Node]]:
    """The steps with a field that names one, whatever their type, and those that ask a question about one."""
    for kind in _types(Node):
        for field in [each for each in kind._meta.local_fields if each.related_model is Segment]:
            steps = kind._default_manager.filter(**{f"{field.name}__any": list(segments)})
            for step in steps.select_related("revision__workflow"):
                yield getattr(step, field.attname), step
    trees = trees_naming(segments)
    for asking in If.objects.filter(condition__any=list(trees)).select_related("revision__workflow") if trees else ():
        yield from ((pk, asking) for pk in trees[asking.condition_id])


def _types(base: type[Node]) -> list[type[Node]]:
    return [kind for each in base.__subclasses__() for kind in [each, *_types(each)]]


Segment.uses.append(workflows_naming)
