"""The bills that points are worked out for: orders, or one that is no order yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import models
from psycopg.types.json import Jsonb

from loyaltyflow.sql import compiled
from loyaltyflow.store.models import Order

from ..bill import Bill

# What was paid for the goods is the order's net amount: if its lines do not add up to it, it is spread over them to the
# cent, or stands alone where there are none.
ORDERS = """
chosen (id, customer_id, completed_at, net) AS MATERIALIZED ({orders}),
bills AS (
    SELECT id AS bill, customer_id AS customer, completed_at AS at,
        coalesce(%s::numeric, (r.told ->> 'points_factor')::numeric, 1) AS factor
    FROM chosen LEFT JOIN rewards_receipt AS r ON r.order_id = chosen.id
),
listed AS (
    SELECT o.id AS bill, l.number, l.product_id AS product, l.quantity, l.net, o.net AS paid,
        sum(l.net) OVER (PARTITION BY o.id) AS total,
        sum(l.net) OVER (PARTITION BY o.id ORDER BY l.number) AS so_far
    FROM chosen AS o JOIN store_orderline AS l ON l.order_id = o.id
),
lines AS (
    SELECT bill, number, product, quantity,
        CASE WHEN total = paid OR total <= 0 THEN net
            ELSE round(paid * so_far / total, 2) - round(paid * (so_far - net) / total, 2) END AS net
    FROM listed
    UNION ALL
    SELECT o.id, 0, NULL, 1, o.net - coalesce(l.total, 0)
    FROM chosen AS o
    LEFT JOIN LATERAL (SELECT sum(net) AS total FROM store_orderline WHERE order_id = o.id) AS l ON true
    WHERE coalesce(l.total, 0) <= 0 AND o.net <> coalesce(l.total, 0)
)"""
ONE_ORDER = ORDERS.format(orders="SELECT id, customer_id, completed_at, net FROM store_order WHERE id = %s")
ONE = """
bills AS (SELECT 0 AS bill, %s::bigint AS customer, %s::timestamptz AS at, %s::numeric AS factor),
lines AS (
    SELECT 0 AS bill, number, product, quantity, net
    FROM jsonb_to_recordset(%s) AS line (number int, product bigint, quantity numeric, net numeric)
)"""


@dataclass(frozen=True)
class Bills:
    """Where bills and their lines come from: queries `bills` and `lines`, with their parameters."""

    sql: str
    parameters: Sequence[Any]


def of_orders(orders: models.QuerySet[Order], factor: Decimal | None = None) -> Bills:
    """The orders, completed ones only; `factor` is what a voucher multiplies their points by.

    Without it that is as the till was told which took the order, however it is completed.
    """
    sql, parameters = compiled(
        orders.filter(completed_at__isnull=False).order_by().values_list("pk", "customer_id", "completed_at", "net")
    )
    return Bills(ORDERS.format(orders=sql), [*parameters, factor])


def of_order(order: int, factor: Decimal) -> Bills:
    """The order, a purchase; `factor` is what a voucher multiplies its points by."""
    return Bills(ONE_ORDER, [order, factor])


def of_bill(bill: Bill, customer: int | None, factor: Decimal) -> Bills:
    """The bill as the customer is about to pay it: what lines cost after discounts and redeemed points.

    Without a customer it is that of some member, who is in no segment and in no tier.
    """
    lines = [
        {"number": line.number, "product": line.product, "quantity": str(line.quantity), "net": str(line.amount)}
        for line in bill.lines
    ]
    return Bills(ONE, [customer, bill.at, factor, Jsonb(lines)])
