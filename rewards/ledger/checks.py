"""What must be true of the whole ledger. Each check is one SELECT of what is wrong, a sentence a row."""

from .check import Check
from .guarded import AUDITED, ONLY_ADDED

NAME = "coalesce(nullif(trim(customer.first_name || ' ' || customer.last_name), ''), customer.email, customer.id::text)"

BALANCES = Check(
    "balances",
    f"""
    SELECT {NAME} || ': the balance is ' || account.balance || ', the entries add up to ' || coalesce(moved.points, 0)
        || ' and ' || coalesce(lots.points, 0) - account.owed || ' are left in lots.'
    FROM rewards_account AS account JOIN store_customer AS customer ON customer.id = account.customer_id
    LEFT JOIN (SELECT customer_id, sum(points) AS points FROM rewards_entry GROUP BY 1) AS moved USING (customer_id)
    LEFT JOIN (SELECT customer_id, sum(remaining) AS points FROM rewards_lot GROUP BY 1) AS lots USING (customer_id)
    WHERE account.balance <> coalesce(moved.points, 0)
    OR account.balance <> coalesce(lots.points, 0) - account.owed
    """,
)
DEBTS = Check(
    "debts",
    f"""
    SELECT {NAME} || ': ' || account.owed || ' points are owed, and the entries say '
        || coalesce(drawn.points, 0) || '.'
    FROM rewards_account AS account JOIN store_customer AS customer ON customer.id = account.customer_id
    LEFT JOIN (
        SELECT entry.customer_id, sum(draw.points) AS points
        FROM rewards_draw AS draw JOIN rewards_entry AS entry ON entry.id = draw.entry_id
        WHERE draw.lot_id IS NULL GROUP BY 1
    ) AS drawn USING (customer_id)
    WHERE account.owed <> coalesce(drawn.points, 0)
    """,
)
ACCOUNTS = Check(
    "accounts",
    """
    SELECT DISTINCT 'Customer ' || entry.customer_id || ' has points entries but no account.'
    FROM rewards_entry AS entry
    WHERE NOT EXISTS (SELECT FROM rewards_account AS account WHERE account.customer_id = entry.customer_id)
    """,
)
ENTRIES = Check(
    "entries",
    """
    SELECT 'Entry ' || entry.id || ' moves ' || entry.points || ' points, its lot and draws '
        || coalesce(lot.points, 0) - coalesce(drawn.points, 0) || '.'
    FROM rewards_entry AS entry LEFT JOIN rewards_lot AS lot ON lot.entry_id = entry.id
    LEFT JOIN (SELECT entry_id, sum(points) AS points FROM rewards_draw GROUP BY 1) AS drawn
        ON drawn.entry_id = entry.id
    WHERE entry.points <> coalesce(lot.points, 0) - coalesce(drawn.points, 0)
    OR lot.customer_id <> entry.customer_id
    """,
)
LOTS = Check(
    "lots",
    """
    SELECT 'Lot ' || lot.entry_id || ' has ' || lot.remaining || ' points left of ' || lot.points || ', but '
        || coalesce(drawn.points, 0) || ' were drawn from it.'
    FROM rewards_lot AS lot
    LEFT JOIN (SELECT lot_id, sum(points) AS points FROM rewards_draw WHERE lot_id IS NOT NULL GROUP BY 1) AS drawn
        ON drawn.lot_id = lot.entry_id
    WHERE lot.remaining <> lot.points - coalesce(drawn.points, 0) OR lot.remaining < 0 OR lot.remaining > lot.points
    """,
)
EARNED_ONCE = Check(
    "earned once",
    """
    SELECT 'Order ' || order_id || ' earned points ' || count(*) || ' times by rule ' || coalesce(rule ->> 'rule', '?')
        || '.'
    FROM rewards_entry WHERE kind = 'earn' AND order_id IS NOT NULL
    GROUP BY order_id, rule ->> 'rule' HAVING count(*) > 1
    """,
)
# What comes again, as less was returned than was told, was taken before.
TAKEN_BACK = Check(
    "taken back",
    """
    SELECT 'Of order ' || order_id || ' ' || coalesce(-sum(points) FILTER (WHERE kind = 'refund_reversal'), 0)
        || ' points were taken back, and it brought ' || coalesce(sum(points) FILTER (WHERE kind = 'earn'), 0) || '.'
    FROM rewards_entry WHERE kind IN ('earn', 'refund_reversal') AND order_id IS NOT NULL
    GROUP BY order_id HAVING sum(points) < 0 OR sum(points) FILTER (WHERE kind = 'refund_reversal') > 0
    """,
)
GIVEN_BACK = Check(
    "given back",
    """
    SELECT 'Entry ' || spent.id || ' took ' || -spent.points || ' points, and ' || sum(back.points)
        || ' were given back.'
    FROM rewards_entry AS back JOIN rewards_entry AS spent ON spent.id = back.reverses_id AND spent.kind = 'redeem'
    WHERE back.kind = 'redeem_reversal' GROUP BY spent.id HAVING sum(back.points) > -spent.points
    UNION ALL
    SELECT 'Entry ' || back.id || ' gave ' || back.points || ' points back that nobody had spent.'
    FROM rewards_entry AS back LEFT JOIN rewards_entry AS spent ON spent.id = back.reverses_id
    WHERE back.kind = 'redeem_reversal'
    AND (spent.kind, spent.customer_id) IS DISTINCT FROM ('redeem'::text, back.customer_id)
    """,
)
TRANSFERS = Check(
    "transfers",
    """
    SELECT CASE WHEN sent.id IS NULL THEN 'Nobody sent the ' || received.points || ' points of entry ' || received.id
        ELSE 'Entry ' || sent.id || ' sent ' || -sent.points || ' points, and ' || coalesce(received.points, 0)
        || ' came in' END || '.'
    FROM (SELECT * FROM rewards_entry WHERE kind = 'transfer_out') AS sent
    FULL JOIN (SELECT * FROM rewards_entry WHERE kind = 'transfer_in') AS received ON received.reverses_id = sent.id
    WHERE coalesce(received.points, 0) <> -coalesce(sent.points, 0)
    """,
)
SIGNS = Check(
    "signs",
    """
    SELECT 'Entry ' || id || ' of the kind ' || kind || ' moves ' || points || ' points: that is the wrong way.'
    FROM rewards_entry
    WHERE kind IN ('redeem', 'expire', 'manual_remove') AND points > 0
    OR kind IN ('earn', 'boost', 'welcome', 'tier_bonus', 'manual_add', 'redeem_reversal') AND points < 0
    """,
)
ADJUSTED = Check(
    "adjustments",
    f"""
    SELECT {NAME} || ': the adjustment by hand was of ' || adjustment.points || ' points, and entry ' || entry.id
        || ' moved ' || entry.points || '.'
    FROM rewards_adjustment AS adjustment JOIN rewards_entry AS entry ON entry.id = adjustment.entry_id
    JOIN store_customer AS customer ON customer.id = entry.customer_id
    WHERE (entry.points, entry.customer_id) <> (adjustment.points, adjustment.customer_id)
    """,
)
SPENT_IN_TIME = Check(
    "spent in time",
    """
    SELECT 'Entry ' || entry.id || ' spent points that could not be spent then: they were to be had from '
        || lot.available_at || ' until ' || coalesce(lot.expires_at::text, 'for ever') || '.'
    FROM rewards_entry AS entry JOIN rewards_draw AS draw ON draw.entry_id = entry.id AND draw.points > 0
    JOIN rewards_lot AS lot ON lot.entry_id = draw.lot_id
    WHERE entry.kind IN ('redeem', 'manual_remove')
    AND (lot.available_at > entry.occurred_at OR lot.expires_at <= entry.occurred_at)
    """,
)
USED_ONCE = Check(
    "used once",
    """
    SELECT 'Voucher ' || voucher.code || ' may be used once and was used ' || count(*) || ' times.'
    FROM rewards_redemption AS used JOIN rewards_voucher AS voucher ON voucher.id = used.voucher_id
    WHERE used.reversed_at IS NULL AND voucher.uses_allowed = 1 GROUP BY voucher.id HAVING count(*) > 1
    """,
)
VOUCHERS_COUNTED = Check(
    "vouchers counted",
    """
    SELECT 'Voucher ' || voucher.code || ' counts ' || voucher.uses || ' uses, and there are '
        || coalesce(used.times, 0) || '.'
    FROM rewards_voucher AS voucher LEFT JOIN (
        SELECT voucher_id, count(*) AS times FROM rewards_redemption WHERE reversed_at IS NULL GROUP BY 1
    ) AS used ON used.voucher_id = voucher.id
    WHERE voucher.uses <> coalesce(used.times, 0)
    """,
)
DISCOUNTS_COUNTED = Check(
    "discounts counted",
    """
    SELECT 'The discount ' || discount.name || ' counts ' || discount.uses || ' uses, and there are '
        || coalesce(used.times, 0) || '.'
    FROM rewards_discount AS discount LEFT JOIN (
        SELECT discount_id, count(*) AS times FROM rewards_redemption WHERE reversed_at IS NULL GROUP BY 1
    ) AS used ON used.discount_id = discount.id
    WHERE discount.uses <> coalesce(used.times, 0)
    """,
)
# Of whom somebody turned out to be, what the other had counts too.
BUDGETS_COUNTED = Check(
    "budgets counted",
    """
    WITH given AS (
        SELECT budget_id, customer_id, budget_period AS start, amount
        FROM rewards_redemption WHERE budget_id IS NOT NULL AND reversed_at IS NULL
        UNION ALL
        SELECT budget_id, customer_id, budget_period, 1 FROM rewards_voucher WHERE budget_id IS NOT NULL
        UNION ALL
        SELECT (rule ->> 'budget')::bigint, customer_id, (rule ->> 'budget_period')::date, points
        FROM rewards_entry WHERE rule ? 'budget'
    ),
    drawn AS (
        SELECT budget.id AS budget, who.id AS customer, given.start, sum(given.amount) AS amount
        FROM given JOIN rewards_budget AS budget ON budget.id = given.budget_id
        LEFT JOIN store_customer AS customer ON customer.id = given.customer_id
        CROSS JOIN LATERAL (VALUES (0), (coalesce(customer.merged_into_id, customer.id))) AS who (id)
        WHERE who.id IS NOT NULL GROUP BY 1, 2, 3
    ),
    counted AS (
        SELECT budget_id AS budget, coalesce(customer_id, 0) AS customer, period_start AS start, used, allowed
        FROM rewards_spending
    ),
    told AS (
        SELECT 'The budget ' || name || CASE WHEN start > '1970-01-01' THEN ' from ' || start ELSE '' END
            || CASE WHEN customer > 0 THEN ', for customer ' || customer ELSE '' END AS what,
            coalesce(used, 0) AS used, coalesce(drawn.amount, 0) AS amount, allowed
        FROM counted FULL JOIN drawn USING (budget, customer, start) JOIN rewards_budget AS known ON known.id = budget
    )
    SELECT what || ': ' || trim_scale(used) || ' are counted, and ' || trim_scale(amount) || ' were drawn from it.'
    FROM told WHERE used <> amount
    UNION ALL
    SELECT what || ': ' || trim_scale(used) || ' are counted, and no more than ' || trim_scale(allowed)
        || ' were allowed.'
    FROM told WHERE used > allowed
    """,
)

# By when they were written down: what is added for the past is told of from then on.
NOTICED = Check(
    "notices",
    """
    SELECT 'Nobody told customer ' || entry.customer_id || ' of ' || entry.points || ' points (' || entry.explanation
        || '), and no reason is known.'
    FROM rewards_entry AS entry
    WHERE entry.recorded_at < now() - interval '24 hours 10 minutes'
        AND entry.occurred_at >= coalesce((SELECT since FROM rewards_noticeprogress), '-infinity')
        AND NOT EXISTS (SELECT FROM rewards_notice AS notice WHERE notice.entry_id = entry.id)
    """,
)

TOTALS = Check(
    "totals",
    """
    SELECT 'All entries of the kind ' || kind || ' up to ' || totals.entry || ' are kept as '
        || coalesce(kept.points, 0) || ' points, and add up to ' || coalesce(counted.points, 0) || '.'
    FROM rewards_ledgertotals AS totals
    CROSS JOIN LATERAL (SELECT key AS kind, value::bigint AS points FROM jsonb_each_text(totals.points)) AS kept
    FULL JOIN (
        SELECT kind, sum(points) AS points FROM rewards_entry
        WHERE id <= (SELECT entry FROM rewards_ledgertotals) GROUP BY kind
    ) AS counted USING (kind)
    WHERE coalesce(kept.points, 0) <> coalesce(counted.points, 0)
    """,
)

CHECKS: list[Check] = [
    BALANCES,
    DEBTS,
    ACCOUNTS,
    ENTRIES,
    LOTS,
    ONLY_ADDED,
    AUDITED,
    EARNED_ONCE,
    TAKEN_BACK,
    GIVEN_BACK,
    TRANSFERS,
    SIGNS,
    ADJUSTED,
    SPENT_IN_TIME,
    USED_ONCE,
    VOUCHERS_COUNTED,
    DISCOUNTS_COUNTED,
    BUDGETS_COUNTED,
    NOTICED,
    TOTALS,
]
