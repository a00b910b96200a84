from datetime import timedelta
from itertools import count, product

from loyaltyflow.bench.dataset import NOW, execute
from segments import refresh
from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.joined_loyalty import JoinedLoyalty
from segments.conditions.made_purchase import MadePurchase
from segments.models import Segment

from .base import Row

SEGMENTS = 50
ORDERS = """
INSERT INTO store_order (customer_id, source, external_id, placed_at, completed_at, net,
                         discount_code, channel, store_location)
SELECT 1 + (n * 999 + %(round)s * 7) %% %(scale)s, 'bench-new', %(round)s || '-' || n, %(now)s, %(now)s, 20,
       '', 'web', ''
FROM generate_series(1::bigint, %(changed)s) AS n
"""
EVENTS = """
INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT 'order_completed', customer_id, completed_at, source, 'order_completed:' || id,
       jsonb_build_object('order', id, 'net', net::text)
FROM store_order WHERE source = 'bench-new' AND completed_at = %(now)s
"""


class Refresh(Row):
    """A refresh of 50 segments after 0.1 % of customers bought, and then a rebuild of all, which changes nothing."""

    name = "segments.refresh"
    target = 0.05
    unit = "segments"
    order = ("product", "floor")
    rounds = 1
    is_share_of_time = True
    # Sums of hashes over all rows: after the rebuild they must be what they were after the refresh.
    queries = {
        "members": "SELECT segment_id, count(*), sum(hashint8extended(customer_id, segment_id)::numeric) "
        "FROM segments_membership WHERE left_at IS NULL GROUP BY 1 ORDER BY 1",
        "rechecks": "SELECT segment_id, count(*), sum(hashint8extended(customer_id, segment_id)::numeric), "
        "sum(extract(epoch FROM due_at)) FROM segments_recheck GROUP BY 1 ORDER BY 1",
    }

    def prepare(self) -> None:
        self.moments = count(1)
        self.now = NOW
        kinds = list(product(range(5), range(1, 1 + SEGMENTS // 5)))
        self.segments = [
            Segment.objects.create(name=f"Bench {number}", root=_condition(*kind), is_active=True)
            for number, kind in enumerate(kinds)
        ]
        refresh.refresh(self.now)
        execute("VACUUM ANALYZE")

    def reset(self, side: str) -> None:
        if side == "product":
            number = next(self.moments)
            self.now = NOW + timedelta(minutes=number)
            changed = max(1, self.data.scale // 1000)
            known = self.data.parameters | {"round": number, "now": self.now, "changed": changed}
            execute(ORDERS, known)
            execute(EVENTS, known)

    def floor(self) -> int:
        for segment in self.segments:
            refresh.build(segment, self.now)
        return SEGMENTS

    def product(self) -> int:
        refresh.refresh(self.now)
        return SEGMENTS


def _condition(kind: int, number: int) -> Condition:
    """One of the trees that staff build most: by purchases, membership, place, and all of these together."""
    if kind == 0:
        return MadePurchase.objects.create(operator="at_least", count=number, window_days=30 * number)
    if kind == 1:
        return MadePurchase.objects.create(operator="none", window_days=7 * number)
    if kind == 2:
        return JoinedLoyalty.objects.create(window_days=30 * number)
    if kind == 3:
        root: Condition = AllOf.objects.create()
        MadePurchase.objects.create(parent=root, operator="at_least", count=2, window_days=180)
        MadePurchase.objects.create(parent=root, operator="none", window_days=10 * number)
        return root
    root = AnyOf.objects.create()
    CustomerField.objects.create(parent=root, field="state", operator="is", value="MA")
    MadePurchase.objects.create(parent=root, operator="at_least", count=number, window_days=365)
    return root
