from datetime import timedelta
from itertools import count
from pathlib import Path

import yaml

from loyaltyflow.bench.dataset import NOW, execute, forget_other_facts
from loyaltyflow.bench.mail import template
from messaging.models import Campaign
from segments import refresh
from segments.exchange.trees import grown
from segments.models import Segment

from .base import Row

DEFINITIONS = Path(__file__).parent.parent / "fifty_segments.yaml"
GUESTS = """
INSERT INTO segments_membership (segment_id, customer_id, joined_at)
SELECT %(guests)s, id, %(now)s FROM store_customer WHERE id %% 25 = 0
"""
MESSAGES = """
INSERT INTO messaging_message (campaign_id, customer_id, template_id, channel, category, origin, visit, status, due_at,
                               sent_at)
SELECT %(campaign)s, id, %(template)s, 'email', 'marketing', 'bench', number, 'delivered', sent_at, sent_at
FROM store_customer, generate_series(1, 2) AS number,
     LATERAL (SELECT %(now)s - interval '1 hour' * (1 + id %% 1000 * number) AS sent_at) AS hour
WHERE id %% 10 <> 0
"""
OPENS = """
INSERT INTO messaging_engagement (message_id, kind, at)
SELECT id, 'open', sent_at + interval '10 minutes' FROM messaging_message WHERE customer_id %% 3 = 0
"""
POINTS = """
INSERT INTO rewards_entry (customer_id, kind, points, occurred_at, key, explanation)
SELECT id, 'boost', 10 + id %% 200, %(now)s - interval '1 hour' * (1 + id %% 2000), 'bench:' || id, 'Thank you'
FROM store_customer WHERE id %% 2 = 0
"""
ORDERS = """
INSERT INTO store_order (customer_id, source, external_id, placed_at, completed_at, net,
                         discount_code, channel, store_location)
SELECT 1 + (n * 4999 + %(round)s * 7) %% %(scale)s, 'bench-new', %(round)s || '-' || n, %(now)s, %(now)s, 20,
       '', 'web', ''
FROM generate_series(1::bigint, %(changed)s, 4) AS n
"""
EVENTS = """
INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT 'order_completed', customer_id, completed_at, source, 'order_completed:' || id,
       jsonb_build_object('order', id, 'net', net::text)
FROM store_order WHERE source = 'bench-new' AND completed_at = %(now)s
"""


# Of four who change, one buys, one looks at a page, one is tagged and one says no to e-mail.
VISITS = """
INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT 'page_visited', 1 + (n * 4999 + %(round)s * 7) %% %(scale)s, %(now)s, 'bench-new', 'bench-new:' || n,
       jsonb_build_object('url', 'https://shop.example.com/category/3')
FROM generate_series(2::bigint, %(changed)s, 4) AS n
"""
TAGS = """
WITH pinned AS (
    INSERT INTO store_tagging (customer_id, tag_id, added_at)
    SELECT 1 + (n * 4999 + %(round)s * 7) %% %(scale)s, 2, %(now)s FROM generate_series(3::bigint, %(changed)s, 4) AS n
    ON CONFLICT DO NOTHING RETURNING id, customer_id, added_at
)
INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT 'tag_added', customer_id, added_at, 'bench-new', 'bench-new:tag:' || id, '{"tag": "bench tag 2"}' FROM pinned
"""
CONSENTS = """
WITH given AS (
    INSERT INTO store_consent (customer_id, channel, status, source, proof, given_at)
    SELECT 1 + (n * 4999 + %(round)s * 7) %% %(scale)s, 'email', 'opted_out', 'bench-new', '', %(now)s
    FROM generate_series(4::bigint, %(changed)s, 4) AS n
    RETURNING id, customer_id, given_at
)
INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT 'consent_changed', customer_id, given_at, 'bench-new', 'bench-new:consent:' || id, '{"channel": "email"}'
FROM given
"""


class Refresh(Row):
    """A refresh of 50 segments after 0.1 % of customers did something; a rebuild of all then changes nothing."""

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
        guests = Segment.objects.create(name="Bench: guests", kind=Segment.Kind.STATIC, is_active=True)
        campaign = Campaign.objects.create(name="Bench: newsletter")
        known = {"guests": guests.pk, "now": NOW, "campaign": campaign.pk, "template": template().pk}
        for sql in (GUESTS, MESSAGES, OPENS, POINTS):
            execute(sql, known)
        execute("VACUUM ANALYZE")
        self.segments = [
            Segment.objects.create(name=f"Bench: {name}", root=grown(tree).copy(), is_active=True)
            for name, tree in yaml.safe_load(DEFINITIONS.read_text()).items()
        ]
        refresh.refresh(self.now)
        execute("VACUUM ANALYZE")

    def reset(self, side: str) -> None:
        if side == "product":
            number = next(self.moments)
            self.now = NOW + timedelta(minutes=number)
            changed = max(4, self.data.scale // 1000)
            known = self.data.parameters | {"round": number, "now": self.now, "changed": changed}
            for sql in (ORDERS, EVENTS, VISITS, TAGS, CONSENTS):
                execute(sql, known)

    def floor(self) -> int:
        for segment in self.segments:
            refresh.build(segment, self.now)
        return len(self.segments)

    def product(self) -> int:
        refresh.refresh(self.now)
        return len(self.segments)

    def close(self) -> None:
        forget_other_facts()
