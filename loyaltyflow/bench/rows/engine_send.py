from typing import Any

from loyaltyflow.bench.dataset import execute
from loyaltyflow.bench.mail import template
from workflows.models import Node, Revision
from workflows.nodes.send_email import SendEmail

from .engine import CLAIMED, MOVED, EngineRow

FLOOR = (
    CLAIMED
    + """,
posted AS (
    INSERT INTO messaging_message (campaign_id, customer_id, template_id, channel, category, origin, visit, due_at)
    SELECT %(campaign)s, customer_id, %(template)s, 'email', 'marketing', 'node:' || %(node)s, id, %(now)s FROM claimed
    ON CONFLICT DO NOTHING
)"""
    + MOVED
)


class Send(EngineRow):
    """Claim, write outbox rows with their unique keys, log the step, move."""

    name = "engine.send"
    target = 0.6
    tables = ("messaging_message",)
    queries = EngineRow.queries | {
        "messages": "SELECT campaign_id, template_id, channel, category, origin, status, due_at, "
        "count(DISTINCT visit), sum(customer_id) FROM messaging_message GROUP BY 1, 2, 3, 4, 5, 6, 7",
    }

    def make_node(self, revision: Revision) -> Node:
        return SendEmail.objects.create(revision=revision, template=template())

    @property
    def parameters(self) -> dict[str, Any]:
        mine = {"campaign": self.node.revision.workflow.campaign_id, "template": self.node.template_id}
        return super().parameters | mine

    def floor(self) -> int:
        return execute(FLOOR, self.parameters)
