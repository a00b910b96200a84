from loyaltyflow.bench.dataset import execute
from workflows.models import Node, Revision
from workflows.nodes.award_points import AwardPoints

from .engine import CLAIMED, MOVED, EngineRow

FLOOR = (
    CLAIMED
    + """,
given AS (
    INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, explanation)
    SELECT customer_id, 'boost', 50, %(now)s, 'node:' || %(node)s || ':' || id, 'Thank you' FROM claimed
    ON CONFLICT DO NOTHING RETURNING id, customer_id, points
),
lots AS (
    INSERT INTO rewards_lot (entry_id, customer_id, points, remaining, earned_at, available_at)
    SELECT id, customer_id, points, points, %(now)s, %(now)s FROM given
),
balances AS (
    INSERT INTO rewards_account (customer_id, balance, updated_at)
    SELECT customer_id, sum(points), %(now)s FROM given GROUP BY customer_id ORDER BY customer_id
    ON CONFLICT (customer_id) DO UPDATE
    SET balance = rewards_account.balance + excluded.balance, updated_at = excluded.updated_at
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, key, properties)
    SELECT 'points_given', customer_id, %(now)s, 'points_given:' || id, jsonb_build_object('points', points) FROM given
    ON CONFLICT DO NOTHING
)"""
    + MOVED
)


class Award(EngineRow):
    """Claim, write entries with their unique keys, lots, balances and events, log the step, move."""

    name = "engine.award"
    target = 0.5
    tables = ("rewards_lot", "rewards_account", "rewards_entry")
    queries = EngineRow.queries | {
        "entries": "SELECT kind, points, occurred_at, explanation, count(DISTINCT key), sum(customer_id) "
        "FROM rewards_entry GROUP BY 1, 2, 3, 4",
        "lots": "SELECT points, remaining, state, earned_at, available_at, expires_at, count(*) FROM rewards_lot "
        "GROUP BY 1, 2, 3, 4, 5, 6",
        "balances": "SELECT balance, updated_at, count(*) FROM rewards_account GROUP BY 1, 2",
        "events": "SELECT name, occurred_at, properties, count(*), sum(customer_id) FROM store_event "
        "WHERE source <> 'bench' GROUP BY 1, 2, 3",
    }

    def make_node(self, revision: Revision) -> Node:
        return AwardPoints.objects.create(revision=revision, points=50, explanation="Thank you")

    def floor(self) -> int:
        return execute(FLOOR, self.parameters)
