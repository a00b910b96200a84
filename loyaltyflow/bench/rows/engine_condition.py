from typing import Any

from loyaltyflow.bench.dataset import execute, midnight
from segments.conditions.made_purchase import MadePurchase
from workflows.models import Node, Revision
from workflows.nodes.if_ import If

from .engine import CLAIMED, EngineRow

WINDOW_DAYS = 90
FLOOR = (
    CLAIMED
    + """,
buyers AS (
    SELECT customer_id FROM store_order
    WHERE completed_at >= %(since)s AND completed_at <= %(now)s
    AND (cancelled_at IS NULL OR cancelled_at > %(now)s) AND (refunded_at IS NULL OR refunded_at > %(now)s)
    GROUP BY customer_id HAVING count(*) >= 2
),
decided AS MATERIALIZED (
    SELECT claimed.*, buyers.customer_id IS NOT NULL AS holds FROM claimed LEFT JOIN buyers USING (customer_id)
),
logged AS (
    INSERT INTO workflows_step (enrolment_id, node_id, arrived_at, left_at, outlet)
    SELECT id, %(node)s, arrived_at, %(now)s, CASE WHEN holds THEN 'yes' ELSE 'no' END FROM decided
)
UPDATE workflows_enrolment AS e
SET node_id = CASE WHEN holds THEN %(yes)s ELSE %(no)s END, arrived_at = %(now)s, due_at = %(later)s
FROM decided WHERE e.id = decided.id
"""
)


class Condition(EngineRow):
    """Claim, ask whether the customer bought twice in 90 days, log the step, move."""

    name = "engine.condition"
    target = 0.7

    def make_node(self, revision: Revision) -> Node:
        condition = MadePurchase.objects.create(operator="at_least", count=2, window_days=WINDOW_DAYS)
        return If.objects.create(revision=revision, condition=condition)

    @property
    def parameters(self) -> dict[str, Any]:
        ways = {outlet: wait.pk for outlet, wait in self.waits.items()}
        return super().parameters | ways | {"since": midnight(WINDOW_DAYS)}

    def floor(self) -> int:
        return execute(FLOOR, self.parameters)
