"""What may be wrong with the ways through a revision."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .nodes.base import Node


class Flow:
    """The steps of a revision without loops, and the ways between them (with their edges loaded)."""

    def __init__(self, nodes: list["Node"]) -> None:
        self.by_id = {node.pk: node for node in nodes}
        self.ways = _ways(nodes)

    def latest_from_start(self, now: datetime) -> dict[int, datetime]:
        """Each step's id and the latest moment at which it acts for those who enter at `now`."""
        starts = [node for node in self.by_id.values() if node.is_trigger]
        return {node.pk: at for node, at in self.after(starts[0], now)} if starts else {}

    def after(self, node: "Node", at: datetime) -> Iterator[tuple["Node", datetime]]:
        """Every step that comes after the node, and the latest moment at which it acts for those who leave it then."""
        latest = {node.pk: at}
        for pk in self._in_order(node.pk):
            for target in self.ways[pk]:
                acts = self.by_id[target].due(latest[pk])
                latest[target] = max(acts, latest.get(target, acts))
        del latest[node.pk]
        return ((self.by_id[pk], moment) for pk, moment in latest.items())

    def _in_order(self, start: int) -> list[int]:
        """The steps that one comes to from the start, each before those that come after it."""
        seen: set[int] = set()
        order: list[int] = []

        def visit(pk: int) -> None:
            seen.add(pk)
            for target in self.ways[pk]:
                if target not in seen:
                    visit(target)
            order.append(pk)

        visit(start)
        return order[::-1]


def warnings_of(nodes: list["Node"]) -> list[str]:
    """What had better be changed in the ways through the nodes although it is no fault, each as a sentence."""
    if _on_a_loop({node.pk: node for node in nodes}, _ways(nodes)):
        return []
    flow = Flow(nodes)
    return [warning for node in nodes for warning in node.warnings_in(flow)]


def _ways(nodes: list["Node"]) -> dict[int, list[int]]:
    return {node.pk: [edge.target_id for edge in node.edges.all() if edge.outlet in node.outlets] for node in nodes}


def problems_of(nodes: list["Node"]) -> list[str]:
    """Everything that keeps the nodes (with their edges loaded) from going live, each as a sentence."""
    triggers = [node for node in nodes if node.is_trigger]
    own = [problem for node in nodes for problem in node.problems()]
    if len(triggers) != 1:
        found = f"has {len(triggers)} starts: keep one of them" if triggers else "has no start: add one"
        return [f"The workflow {found}. It must start in exactly one way.", *own]
    ways = _ways(nodes)
    trigger, by_id = triggers[0], {node.pk: node for node in nodes}
    if loop := _on_a_loop(by_id, ways):
        return [f"“{loop}” leads back to itself. Lead that way to a later step or to an end.", *own]
    flow = Flow(nodes)
    own += [problem for node in nodes for problem in node.problems_in(flow)]
    return [*_unreached(trigger, nodes, ways), *own, *_unannounced(by_id, ways)]


def _unreached(trigger: "Node", nodes: list["Node"], ways: dict[int, list[int]]) -> list[str]:
    """Steps that nobody can come to."""
    reached, waiting = {trigger.pk}, [trigger.pk]
    while waiting:
        found = [target for target in ways.get(waiting.pop(), []) if target not in reached]
        reached.update(found)
        waiting.extend(found)
    return [f"Nothing leads to “{node}”. Connect it or delete it." for node in nodes if node.pk not in reached]


def _on_a_loop(by_id: dict[int, "Node"], ways: dict[int, list[int]]) -> "Node | None":
    """A node that can be come to from itself, if there is one."""
    left = dict(ways)
    while left:
        ends = [pk for pk, targets in left.items() if not any(target in left for target in targets)]
        if not ends:
            return by_id[next(iter(left))]
        for pk in ends:
            del left[pk]
    return None


def _unannounced(by_id: dict[int, "Node"], ways: dict[int, list[int]]) -> list[str]:
    """Steps that change points with a way after them on which the customer is not told. There are no loops."""

    def told(pk: int) -> bool:
        return by_id[pk].is_notice or (bool(ways[pk]) and all(told(target) for target in ways[pk]))

    return [
        f"“{node}” changes points, but not every way after it has a message. Add one that tells the customer."
        for node in by_id.values()
        if node.needs_message_after and not (ways[node.pk] and all(told(target) for target in ways[node.pk]))
    ]
