"""A revision as an indented list, from its start to its ends, with how many customers stand and have passed where."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count
from django.urls import reverse

from .enrolments import Enrolment, Step
from .graph import Revision
from .nodes.base import Node, load_references


@dataclass(frozen=True)
class Line:
    """One step in the outline: how deep it stands, the way that leads to it, who is at it and who has left it."""

    depth: int
    way: str
    node: Node
    waiting: int
    passed: int
    is_repeated: bool = False

    @property
    def address(self) -> str:
        """The page of the step's form."""
        return reverse(f"admin:workflows_{self.node._meta.model_name}_change", args=[self.node.pk])


def outline(revision: Revision) -> list[Line]:
    """Every step in the order of the flow, steps that nothing leads to last; a constant number of queries."""
    nodes = revision.steps()
    load_references(nodes.values())
    inside = Enrolment.objects.active().filter(node__in=nodes)
    waiting = dict(inside.values_list("node").annotate(count=Count("pk")).order_by())
    left = Step.objects.filter(node__in=nodes)
    passed = dict(left.values_list("node").annotate(count=Count("pk")).order_by())
    shown: set[int] = set()

    def lines(pk: int, depth: int, way: str) -> Iterator[Line]:
        node, is_repeated = nodes[pk], pk in shown
        yield Line(depth, way, node, waiting.get(pk, 0), passed.get(pk, 0), is_repeated)
        shown.add(pk)
        if is_repeated:
            return
        targets = {edge.outlet: edge.target_id for edge in node.edges.all()}
        for outlet in node.outlets:
            if outlet in targets:
                branches = len(node.outlets) > 1
                yield from lines(targets[outlet], depth + branches, outlet if branches else "")

    first = sorted(nodes, key=lambda pk: (not nodes[pk].is_trigger, pk))
    return [line for pk in first if pk not in shown for line in lines(pk, 0, "")]
