from loyaltyflow.bench.dataset import NOW, execute, midnight
from segments import refresh
from segments.conditions.all_of import AllOf
from segments.conditions.made_purchase import MadePurchase
from segments.models import Segment

from .base import Row

# Twice or more in the past 180 days, none in the past 21. The recheck of each customer, member or not, is when the
# purchase before the last leaves the longer window or the last one leaves the shorter.
FLOOR = """
WITH bought AS MATERIALIZED (
    SELECT customer_id, last, earlier, least(
        CASE WHEN last >= %(short)s THEN
            (date_trunc('day', last AT TIME ZONE %(zone)s) + interval '22 days') AT TIME ZONE %(zone)s END,
        (date_trunc('day', earlier AT TIME ZONE %(zone)s) + interval '181 days') AT TIME ZONE %(zone)s
    ) AS due_at
    FROM (
        SELECT customer_id, max(completed_at) AS last,
               (array_agg(completed_at ORDER BY completed_at DESC))[2] AS earlier
        FROM store_order
        WHERE completed_at >= %(long)s AND completed_at <= %(now)s
        AND (cancelled_at IS NULL OR cancelled_at > %(now)s) AND (refunded_at IS NULL OR refunded_at > %(now)s)
        GROUP BY customer_id
    ) AS purchases
),
rechecks AS (
    INSERT INTO segments_recheck (segment_id, customer_id, due_at)
    SELECT %(segment)s, customer_id, due_at FROM bought WHERE due_at IS NOT NULL
)
INSERT INTO segments_membership (segment_id, customer_id, joined_at)
SELECT %(segment)s, customer_id, %(now)s FROM bought WHERE earlier IS NOT NULL AND last < %(short)s
"""
COUNTED = "UPDATE segments_segment SET members_now = %(members)s, built_at = %(now)s WHERE id = %(segment)s"


class Build(Row):
    """A full build of a segment with two order conditions: members, and when each customer is to be judged again."""

    name = "segments.build"
    target = 0.6
    unit = "customers"
    queries = {
        "members": "SELECT joined_at, left_at, count(*), sum(customer_id) FROM segments_membership GROUP BY 1, 2",
        "rechecks": "SELECT count(*), sum(customer_id), sum(extract(epoch FROM due_at)) FROM segments_recheck",
        "segment": "SELECT members_now, built_at FROM segments_segment",
    }

    def prepare(self) -> None:
        root = AllOf.objects.create()
        MadePurchase.objects.create(parent=root, operator="at_least", count=2, window_days=180)
        MadePurchase.objects.create(parent=root, operator="none", window_days=21, position=1)
        self.segment = Segment.objects.create(name="Bench: bought, but not lately", root=root)

    def reset(self, side: str) -> None:
        execute("TRUNCATE segments_membership, segments_recheck")
        Segment.objects.update(members_now=0, built_at=None, built_from="")
        # Not the emptied tables: to the planner a table that was vacuumed while empty stays empty, a new one does not.
        execute("VACUUM ANALYZE segments_segment")

    def floor(self) -> int:
        known = {"segment": self.segment.pk, "now": NOW, "zone": str(NOW.tzinfo)}
        members = execute(FLOOR, known | {"long": midnight(180), "short": midnight(21)})
        execute(COUNTED, known | {"members": members})
        return self.data.scale

    def product(self) -> int:
        refresh.build(self.segment, NOW)
        return self.data.scale
