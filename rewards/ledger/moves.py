"""What every movement of points comes down to: draws on lots, what is left of these, and what the accounts hold."""

# The end of each statement. It wants two things before it: `moves`, what is drawn from which lot by which entry (below
# 0: put back; without a lot: owed), and `changes`, what the new entries add to the customers' balances.
MOVED = """
drawn AS (
    INSERT INTO rewards_draw (entry_id, lot_id, points, at)
    SELECT entry_id, lot_id, points, at FROM moves WHERE points <> 0
),
used AS (
    UPDATE rewards_lot AS lot
    SET remaining = lot.remaining - moved.points,
        state = CASE
            WHEN lot.remaining = moved.points THEN %(used_up)s::text
            WHEN lot.state = 'pending' OR lot.available_at > %(now)s THEN 'pending'
            ELSE 'active'
        END
    FROM (SELECT lot_id, sum(points)::bigint AS points FROM moves WHERE lot_id IS NOT NULL GROUP BY lot_id) AS moved
    WHERE lot.entry_id = moved.lot_id AND moved.points <> 0
),
accounts AS (
    UPDATE rewards_account AS account
    SET balance = account.balance + changed.points, owed = account.owed + changed.owed, updated_at = %(now)s
    FROM (
        SELECT customer_id, sum(points)::bigint AS points, sum(owed)::bigint AS owed
        FROM (
            SELECT customer_id, points, 0 AS owed FROM changes
            UNION ALL SELECT customer_id, 0, points FROM moves WHERE lot_id IS NULL
        ) AS each_change
        GROUP BY customer_id
    ) AS changed
    WHERE account.customer_id = changed.customer_id
)
"""

# The event of customers whose points expire at another time than before: the lots in `redated`.
REDATED = """
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, key, properties)
    SELECT 'points_redated', customer_id, %(now)s,
        'points_redated:' || customer_id || ':' || extract(epoch FROM %(now)s::timestamptz),
        jsonb_build_object('points', sum(remaining))
    FROM redated GROUP BY customer_id
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM redated
"""

# The event of each new entry in `made`.
TOLD = """
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, key, properties)
    SELECT %(event)s::text, customer_id, occurred_at, %(event)s::text || ':' || id,
        jsonb_build_object('points', points)
    FROM made
    ON CONFLICT DO NOTHING
)
"""
