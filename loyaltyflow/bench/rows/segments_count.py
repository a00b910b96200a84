from django.db import connection

from loyaltyflow.bench.dataset import NOW, midnight
from segments.counting import looked
from segments.exchange.trees import grown

from .base import Row

TREE = {
    "all_of": [
        {"customer_field": {"field": "state", "value": "MA"}},
        {"made_purchase": {"count": 1}},
        {"made_purchase": {"operator": "none", "window_days": 21}},
    ]
}
# Lives in Massachusetts, has bought, and not in the past 21 days; ten of those as if drawn by lot.
FLOOR = """
WITH matching AS MATERIALIZED (
    SELECT c.id FROM store_customer AS c
    JOIN (
        SELECT customer_id, max(completed_at) AS last FROM store_order
        WHERE completed_at <= %(now)s AND (cancelled_at IS NULL OR cancelled_at > %(now)s)
        AND (refunded_at IS NULL OR refunded_at > %(now)s)
        GROUP BY customer_id
    ) AS bought ON bought.customer_id = c.id
    WHERE c.state = 'MA' AND last < %(short)s
)
SELECT (SELECT count(*) FROM matching),
       ARRAY(SELECT id FROM matching ORDER BY hashint8extended(id, 0), id LIMIT 10)
"""


class Count(Row):
    """What the editor asks while staff write conditions: how many meet them, and ten of those."""

    name = "segments.count"
    target = 0.4
    unit = "matching customers"
    rounds = 5

    def floor(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(FLOOR, {"now": NOW, "short": midnight(21)})
            number, _ids = cursor.fetchone()
        return int(number)

    def product(self) -> int:
        look = looked(grown(TREE), NOW, limit_ms=60_000)
        return look.count.number
