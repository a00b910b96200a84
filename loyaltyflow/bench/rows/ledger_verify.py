from loyaltyflow.bench.dataset import NOW, answer, execute
from rewards import ledger

from .base import Row

PER_CUSTOMER = 25  # entries, which makes five million of two hundred thousand customers

# Five entries a lot: one brings 100 points, four spend 10, 20, 30 and 5 of them; 35 are left.
EARNED = """
INSERT INTO rewards_entry (id, customer_id, kind, points, occurred_at, key, explanation)
SELECT number * 5, people.ids[1 + number %% people.count], 'boost', 100, %(now)s, 'bench:' || number, 'Bench'
FROM generate_series(0, %(lots)s - 1) AS number,
    (SELECT array_agg(id ORDER BY id) AS ids, count(*) AS count FROM store_customer) AS people
"""
LOTS = """
INSERT INTO rewards_lot (entry_id, customer_id, points, remaining, earned_at, available_at)
SELECT id, customer_id, 100, 35, %(now)s, %(now)s FROM rewards_entry
"""
SPENT = """
INSERT INTO rewards_entry (id, customer_id, kind, points, occurred_at, key, explanation)
SELECT entry.id + spent.number, customer_id, 'redeem', -spent.points, %(now)s, entry.key || ':' || spent.number, 'Bench'
FROM rewards_entry AS entry, (VALUES (1, 10), (2, 20), (3, 30), (4, 5)) AS spent (number, points)
"""
DRAWS = """
INSERT INTO rewards_draw (entry_id, lot_id, points, at)
SELECT id, id - id %% 5, -points, %(now)s FROM rewards_entry WHERE kind = 'redeem'
"""
ACCOUNTS = """
INSERT INTO rewards_account (customer_id, balance) SELECT customer_id, sum(points) FROM rewards_entry GROUP BY 1
"""

# The least that proves a balance: the entries' sum, and what is left of the lots, customer by customer.
FLOOR = """
SELECT count(*) FROM rewards_account AS account
LEFT JOIN (SELECT customer_id, sum(points) AS points FROM rewards_entry GROUP BY 1) AS moved USING (customer_id)
LEFT JOIN (SELECT customer_id, sum(remaining) AS points FROM rewards_lot GROUP BY 1) AS lots USING (customer_id)
WHERE account.balance IS DISTINCT FROM moved.points OR account.balance + account.owed IS DISTINCT FROM lots.points
"""


class Verify(Row):
    """Every entry proved by all checks of the ledger; the floor compares nothing but the sums of balances."""

    name = "ledger.verify"
    target = 0.05
    unit = "entries"
    rounds = 1
    queries = {"entries": "SELECT count(*), sum(points) FROM rewards_entry"}

    def prepare(self) -> None:
        self.entries = self.data.scale * PER_CUSTOMER
        known = {"now": NOW, "lots": self.entries // 5}
        for statement in (EARNED, LOTS, SPENT, DRAWS, ACCOUNTS):
            execute(statement, known)
        for table in ("rewards_entry", "rewards_lot", "rewards_draw", "rewards_account"):
            execute(f"VACUUM ANALYZE {table}")

    def floor(self) -> int:
        assert answer(FLOOR) == [(0,)]
        return self.entries

    def product(self) -> int:
        assert ledger.verify() == []
        return self.entries
