"""Which customer a row is about: found by external id, then e-mail, then phone; made if nobody is found."""

from typing import Any

from .base import Context

ROUNDS = 3  # rows of one file that name one customer in up to so many different ways are brought together
TABLE = """CREATE TEMPORARY TABLE intake_people (line bigint, source text, external_id text, email text, phone text,
    at timestamptz, customer bigint, is_new boolean NOT NULL DEFAULT false) ON COMMIT DROP"""
FIND = (
    """UPDATE intake_people p SET customer = x.customer_id FROM store_externalid x
       WHERE p.customer IS NULL AND x.source = p.source AND x.external_id = p.external_id""",
    """UPDATE intake_people p SET customer = c.id FROM store_customer c
       WHERE p.customer IS NULL AND p.email IS NOT NULL AND lower(c.email) = p.email AND c.email <> ''""",
    # A phone number is shared in many a household: it finds only whom no e-mail address or other id contradicts.
    """UPDATE intake_people p SET customer = (
           SELECT min(c.id) FROM store_customer c WHERE c.phone = p.phone AND (p.email IS NULL OR c.email = '')
           AND NOT EXISTS (SELECT FROM store_externalid x WHERE x.customer_id = c.id AND x.source = p.source
                           AND p.external_id IS NOT NULL))
       WHERE p.customer IS NULL AND p.phone IS NOT NULL""",
)
# The first row of each external id, e-mail address and phone number makes the customer; the others then find it.
LEAD = """WITH ranked AS (
    SELECT line, (external_id IS NULL OR row_number() OVER (PARTITION BY source, external_id ORDER BY line) = 1)
        AND (email IS NULL OR row_number() OVER (PARTITION BY email ORDER BY line) = 1)
        AND (email IS NOT NULL OR external_id IS NOT NULL
             OR row_number() OVER (PARTITION BY phone ORDER BY email NULLS LAST, external_id NULLS LAST, line) = 1)
        AS leads
    FROM intake_people WHERE customer IS NULL)
UPDATE intake_people p SET is_new = true,
    customer = nextval((SELECT pg_get_serial_sequence('store_customer', 'id')::regclass))
FROM ranked r WHERE r.line = p.line AND r.leads"""
CREATE = """INSERT INTO store_customer (id, email, phone, first_name, last_name, gender, state, country, postal_code,
    time_zone, language, attributes, created_at, updated_at)
SELECT customer, coalesce(email, ''), coalesce(phone, ''), '', '', '', '', '', '', '', '', '{}', %(now)s, %(now)s
FROM intake_people p WHERE is_new AND NOT EXISTS (SELECT FROM store_customer c WHERE c.id = p.customer)"""
NAME = """INSERT INTO store_externalid (customer_id, source, external_id)
SELECT DISTINCT ON (source, external_id) customer, source, external_id FROM intake_people
WHERE customer IS NOT NULL AND external_id IS NOT NULL ORDER BY source, external_id, line
ON CONFLICT DO NOTHING"""
TELL = """INSERT INTO store_event (name, customer_id, occurred_at, source, key)
SELECT 'contact_added', customer, min(coalesce(at, %(now)s)), min(source) FILTER (WHERE is_new),
    'contact_added:' || customer
FROM intake_people WHERE customer IN (SELECT customer FROM intake_people WHERE is_new) GROUP BY customer
ON CONFLICT DO NOTHING"""


def resolve(cursor: Any, context: Context, people: str) -> int:
    """The number of customers that were made so that each row of the SELECT `people` has one.

    `people` selects line, source, external_id, email, phone and the time since when the customer is known. The answer
    stands in the table intake_people; a row without a customer named one in too many different ways.
    """
    find(cursor, people)
    for _ in range(ROUNDS):
        cursor.execute(LEAD)
        if not cursor.rowcount:
            break
        cursor.execute(CREATE, {"now": context.now})
        cursor.execute(NAME)
        _find(cursor)
    cursor.execute(NAME)
    cursor.execute(TELL, {"now": context.now})
    cursor.execute("SELECT count(*) FROM intake_people WHERE is_new")
    return int(cursor.fetchone()[0])


def find(cursor: Any, people: str) -> None:
    """Look for the customer of each row of the SELECT `people`, which is as `resolve` takes it, and make none.

    The answer stands in the table intake_people, without a customer where there is none.
    """
    cursor.execute(TABLE)
    cursor.execute(f"INSERT INTO intake_people (line, source, external_id, email, phone, at) {people}")
    cursor.execute("ANALYZE intake_people")
    _find(cursor)


def _find(cursor: Any) -> None:
    for statement in FIND:
        cursor.execute(statement)
