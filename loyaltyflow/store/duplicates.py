"""Customers who may be the same person: found by what two of them have in common."""

from dataclasses import dataclass

from django.db import connection

from .customers import Customer

# Each way: why, and what two customers share; nothing is shared by what is empty. A mailbox is the same with other dots
# (as some providers have it) and whatever follows a plus sign.
WAYS = {
    "Same phone number": "SELECT id, phone AS shared FROM store_customer WHERE merged_into_id IS NULL AND phone <> ''",
    "Same name and birthday": """
        SELECT id, lower(first_name || ' ' || last_name) || ' ' || birth_month || '-' || birth_day
        FROM store_customer
        WHERE merged_into_id IS NULL AND first_name <> '' AND last_name <> '' AND birth_month IS NOT NULL
    """,
    "Same name and postal code": """
        SELECT id, lower(first_name || ' ' || last_name) || ' ' || upper(country || postal_code)
        FROM store_customer
        WHERE merged_into_id IS NULL AND first_name <> '' AND last_name <> '' AND postal_code <> ''
    """,
    "Same mailbox": """
        SELECT id, replace(split_part(split_part(lower(email), '@', 1), '+', 1), '.', '') || '@'
            || split_part(lower(email), '@', 2)
        FROM store_customer WHERE merged_into_id IS NULL AND email <> ''
    """,
}
MOST_ALIKE = 5  # of more who share the same, as a switchboard's number, none are said to be one person
PAIRS = """
WITH alike (way, id, shared) AS ({alike}),
few AS (SELECT *, count(*) OVER (PARTITION BY way, shared) AS sharers FROM alike)
SELECT one.id, other.id, array_agg(one.way ORDER BY one.way)
FROM few one JOIN few other ON other.way = one.way AND other.shared = one.shared AND other.id > one.id
WHERE one.sharers BETWEEN 2 AND %(most)s AND {which}
    AND NOT EXISTS (SELECT FROM store_apart a WHERE a.one_id = one.id AND a.other_id = other.id)
GROUP BY one.id, other.id ORDER BY count(*) DESC, one.id, other.id LIMIT %(limit)s
"""


@dataclass(frozen=True)
class Pair:
    """Two customers and what they have in common."""

    one: Customer
    other: Customer
    why: list[str]


def found(limit: int = 100) -> list[Pair]:
    """The likeliest pairs, those that have most in common first; without those that staff told apart."""
    return _pairs("true", {"limit": limit})


def of(customer: Customer, limit: int = 10) -> list[Pair]:
    """The pairs that the customer is one of, who stands first in each."""
    pairs = _pairs("%(customer)s IN (one.id, other.id)", {"limit": limit, "customer": customer.pk})
    return [each if each.one == customer else Pair(each.other, each.one, each.why) for each in pairs]


def _pairs(which: str, asked: dict[str, int]) -> list[Pair]:
    alike = " UNION ALL ".join(
        f"SELECT %(way{number})s, way.* FROM ({rows}) AS way" for number, rows in enumerate(WAYS.values())
    )
    ways = {f"way{number}": way for number, way in enumerate(WAYS)}
    with connection.cursor() as cursor:
        cursor.execute(PAIRS.format(alike=alike, which=which), {**asked, **ways, "most": MOST_ALIKE})
        rows = cursor.fetchall()
    known = Customer.objects.in_bulk({pk for one, other, _ in rows for pk in (one, other)})
    return [Pair(known[one], known[other], why) for one, other, why in rows]
