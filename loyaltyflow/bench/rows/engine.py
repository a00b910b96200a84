"""What the rows about the engine share: every customer stands at one node and is due."""

from typing import Any, ClassVar

from loyaltyflow.bench.dataset import NOW, execute, forget_other_facts
from loyaltyflow.only_added import emptying
from loyaltyflow.store.models import EventType
from workflows import engine
from workflows.models import Node, Revision, Workflow
from workflows.nodes.on_event import OnEvent
from workflows.nodes.wait import Wait

from .base import Row

ENROLMENTS = """
INSERT INTO workflows_enrolment (workflow_id, revision_id, customer_id, node_id, entered_at, arrived_at, due_at)
SELECT %(workflow)s, %(revision)s, id, %(node)s, %(entered)s, %(entered)s, %(entered)s FROM store_customer ORDER BY id
"""
# How every floor begins: who is due, held until the end of the statement.
CLAIMED = """
WITH claimed AS MATERIALIZED (
    SELECT id, customer_id, arrived_at FROM workflows_enrolment
    WHERE status = 'active' AND node_id = %(node)s AND due_at <= %(now)s
    FOR UPDATE SKIP LOCKED
)"""
# How the floor of a node with one way out ends: the log of the step, and the move.
MOVED = """,
logged AS (
    INSERT INTO workflows_step (enrolment_id, node_id, arrived_at, left_at, outlet)
    SELECT id, %(node)s, arrived_at, %(now)s, 'next' FROM claimed
)
UPDATE workflows_enrolment AS e SET node_id = %(next)s, arrived_at = %(now)s, due_at = %(later)s
FROM claimed WHERE e.id = claimed.id
"""


class EngineRow(Row):
    """Due enrolments, one for each customer, through one node and on to a wait of a week."""

    unit = "enrolments"
    tables: ClassVar[tuple[str, ...]] = ()
    queries: ClassVar[dict[str, str]] = {
        "enrolments": "SELECT node_id, status, arrived_at, due_at, count(*), sum(customer_id) "
        "FROM workflows_enrolment GROUP BY 1, 2, 3, 4 ORDER BY 1",
        "steps": "SELECT node_id, outlet, reason, arrived_at, left_at, count(*), count(DISTINCT enrolment_id) "
        "FROM workflows_step GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2",
    }
    node: Node
    waits: dict[str, Wait]

    def prepare(self) -> None:
        workflow = Workflow.objects.create(name=f"Bench: {self.name}", status=Workflow.Status.LIVE)
        revision = Revision.objects.create(workflow=workflow)
        trigger = OnEvent.objects.create(
            revision=revision, event_type=EventType.objects.get_or_create(name="order_completed")[0]
        )
        self.node = self.make_node(revision)
        trigger.leads_to(self.node)
        self.waits = {
            outlet: Wait.objects.create(revision=revision, amount=1, unit="weeks") for outlet in self.node.outlets
        }
        for outlet, wait in self.waits.items():
            self.node.leads_to(wait, outlet)
        Revision.objects.filter(pk=revision.pk).update(status=Revision.Status.LIVE, published_at=NOW)

    def make_node(self, revision: Revision) -> Node:
        """The node that everybody stands at."""
        raise NotImplementedError(f"{type(self).__name__} must define make_node(revision).")

    def reset(self, side: str) -> None:
        execute(emptying(f"TRUNCATE {', '.join(('workflows_step', 'workflows_enrolment', *self.tables))} CASCADE"))
        forget_other_facts()
        execute(ENROLMENTS, self.parameters)
        for table in ("workflows_enrolment", "workflows_step", "store_event", *self.tables):
            execute(f"VACUUM ANALYZE {table}")

    @property
    def parameters(self) -> dict[str, Any]:
        """What the statements of the row may name."""
        wait = next(iter(self.waits.values()))
        return {
            "now": NOW,
            "entered": NOW.replace(hour=9),
            "workflow": self.node.revision.workflow_id,
            "revision": self.node.revision_id,
            "node": self.node.pk,
            "next": wait.pk,
            "later": wait.due(NOW),
        }

    def product(self) -> int:
        return engine.advance(NOW)["moved"]
