from typing import Any

from loyaltyflow.store.consent import Channel

from . import cells, who
from .base import Column, Context, Kind, Reasons, Table

WORDS = (
    "email",
    "phone",
    "first_name",
    "last_name",
    "gender",
    "state",
    "country",
    "postal_code",
    "time_zone",
    "language",
)
MOMENTS = ("registered_at", "profile_completed_at", "loyalty_joined_at", "loyalty_left_at")
GATHERED = (*WORDS, *MOMENTS, "birthday", "attributes")

PEOPLE = """SELECT line, source, external_id, email, phone,
    least(registered_at, loyalty_joined_at) FROM intake_rows"""
OWNERS = "UPDATE intake_rows r SET customer = p.customer FROM intake_people p WHERE p.line = r.line"
LOST = """UPDATE intake_rows SET reason = 'external_id, email and phone name different customers within the file; '
    'send these rows one after another.' WHERE customer IS NULL"""
TAKEN = """UPDATE intake_rows r SET reason = 'email: the address belongs to another customer.'
FROM store_customer c
WHERE r.email IS NOT NULL AND lower(c.email) = r.email AND c.email <> '' AND c.id <> r.customer"""
TAKEN_WITHIN = """UPDATE intake_rows r SET reason = 'email: line ' || f.line || ' gives it to another customer.'
FROM (SELECT DISTINCT ON (email) email, line, customer FROM intake_rows WHERE email IS NOT NULL AND reason IS NULL
      ORDER BY email, line) f
WHERE f.email = r.email AND f.customer <> r.customer AND r.reason IS NULL"""
LEFT_EARLY = """UPDATE intake_rows r SET reason = 'loyalty_left_at lies before the customer joined.'
FROM store_customer c, (SELECT customer, max(loyalty_joined_at) AS joined, min(loyalty_left_at) AS gone
    FROM intake_rows GROUP BY customer) g
WHERE c.id = r.customer AND g.customer = c.id AND r.reason IS NULL
    AND (r.loyalty_joined_at IS NOT NULL OR r.loyalty_left_at IS NOT NULL)
    AND g.gone < coalesce(g.joined, c.loyalty_joined_at)"""
# Several rows of one customer: the last filled cell of each column counts.
LAST = ", ".join(f"(array_agg({n} ORDER BY line DESC) FILTER (WHERE {n} IS NOT NULL))[1] AS {n}" for n in GATHERED)
GATHER = f"""CREATE TEMPORARY TABLE intake_customers ON COMMIT DROP AS
WITH last AS (SELECT customer, min(source) AS source, {LAST} FROM intake_rows WHERE reason IS NULL GROUP BY customer)
SELECT l.*, c.registered_at AS was_registered_at, c.loyalty_joined_at AS was_joined_at,
    c.loyalty_left_at AS was_left_at,
    nullif(substr(l.birthday, 1, 4)::int, 0) AS birth_year, substr(l.birthday, 6, 2)::int AS birth_month,
    substr(l.birthday, 9, 2)::int AS birth_day,
    CASE WHEN EXISTS (SELECT FROM intake_people p WHERE p.customer = l.customer AND p.is_new)
        THEN 'created' ELSE 'unchanged' END AS status
FROM last l JOIN store_customer c ON c.id = l.customer"""
YEAR = """CASE WHEN n.birth_month IS NULL THEN c.birth_year WHEN n.birth_year IS NOT NULL THEN n.birth_year
    WHEN (n.birth_month, n.birth_day) = (c.birth_month, c.birth_day) THEN c.birth_year END"""
CHANGE = f"""WITH changed AS (
    UPDATE store_customer c SET {", ".join(f"{n} = coalesce(n.{n}, c.{n})" for n in (*WORDS, *MOMENTS[:3]))},
        loyalty_left_at = CASE WHEN n.loyalty_left_at IS NULL AND n.loyalty_joined_at > c.loyalty_left_at THEN NULL
            ELSE coalesce(n.loyalty_left_at, c.loyalty_left_at) END,
        birth_year = {YEAR}, birth_month = coalesce(n.birth_month, c.birth_month),
        birth_day = coalesce(n.birth_day, c.birth_day), attributes = c.attributes || coalesce(n.attributes, '{{}}'),
        updated_at = %(now)s
    FROM intake_customers n WHERE n.customer = c.id AND ({" OR ".join(f"n.{name} <> c.{name}" for name in WORDS)}
        OR {" OR ".join(f"n.{m} IS NOT NULL AND n.{m} IS DISTINCT FROM c.{m}" for m in MOMENTS)}
        OR n.birthday IS NOT NULL AND (n.birth_month, n.birth_day) IS DISTINCT FROM (c.birth_month, c.birth_day)
        OR n.birth_year IS NOT NULL AND n.birth_year IS DISTINCT FROM c.birth_year
        OR NOT c.attributes @> coalesce(n.attributes, '{{}}'))
    RETURNING c.id)
UPDATE intake_customers n SET status = CASE status WHEN 'created' THEN status ELSE 'updated' END
FROM changed WHERE changed.id = n.customer"""
# The last word counts, by its own time and not by its line: of two at the same time, the opt-out. One that carries no
# time never turns an opt-out into an opt-in.
AGREE = f"""WITH given AS (
    SELECT DISTINCT ON (r.customer, told.channel) r.customer, told.channel, told.status,
        coalesce(r.consent_at, %(now)s) AS given_at, r.consent_at IS NULL AS is_undated,
        coalesce(r.consent_source, r.source) AS source
    FROM intake_rows r CROSS JOIN LATERAL (VALUES
        {", ".join(f"('{channel}', r.consent_{channel})" for channel in Channel.values)}) AS told (channel, status)
    WHERE told.status IS NOT NULL AND r.reason IS NULL
    ORDER BY r.customer, told.channel, r.consent_at IS NULL AND told.status <> 'opted_out',
        coalesce(r.consent_at, %(now)s) DESC, told.status = 'opted_out' DESC, r.line DESC),
made AS (
    INSERT INTO store_consent (customer_id, channel, status, source, proof, given_at)
    SELECT g.customer, g.channel, g.status, g.source, '', g.given_at FROM given g
    LEFT JOIN LATERAL (SELECT status, given_at FROM store_consent c WHERE c.customer_id = g.customer
        AND c.channel = g.channel ORDER BY given_at DESC, id DESC LIMIT 1) was ON true
    WHERE g.status IS DISTINCT FROM was.status AND (was.status IS NOT NULL OR g.status <> 'unknown')
        AND NOT ((g.is_undated OR g.given_at = was.given_at) AND coalesce(was.status, '') = 'opted_out')
        AND NOT EXISTS (SELECT FROM store_consent c WHERE c.customer_id = g.customer AND c.channel = g.channel
            AND c.status = g.status AND c.given_at = g.given_at)
    RETURNING id, customer_id, channel, status, source, given_at),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT 'consent_changed', customer_id, given_at, left(source, 40), 'consent_changed:' || id,
        jsonb_build_object('channel', channel, 'status', status)
    FROM made)
UPDATE intake_customers n SET status = 'updated'
WHERE status = 'unchanged' AND n.customer IN (SELECT customer_id FROM made)"""
TAGS = """INSERT INTO store_tag (name) SELECT DISTINCT unnest(string_to_array(tags, ';')) FROM intake_rows
WHERE tags IS NOT NULL AND reason IS NULL ON CONFLICT DO NOTHING"""
TAG = """WITH made AS (
    INSERT INTO store_tagging (customer_id, tag_id, added_at)
    SELECT DISTINCT r.customer, t.id, %(now)s::timestamptz
    FROM intake_rows r JOIN store_tag t ON t.name = ANY (string_to_array(r.tags, ';')) WHERE r.reason IS NULL
    ON CONFLICT DO NOTHING RETURNING id, customer_id, tag_id, added_at),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT 'tag_added', m.customer_id, m.added_at, %(source)s, 'tag_added:' || m.id, jsonb_build_object('tag', t.name)
    FROM made m JOIN store_tag t ON t.id = m.tag_id)
UPDATE intake_customers n SET status = 'updated'
WHERE status = 'unchanged' AND n.customer IN (SELECT customer_id FROM made)"""
TELL = """INSERT INTO store_event (name, customer_id, occurred_at, source, key)
SELECT told.name, n.customer, told.at, n.source, told.key FROM intake_customers n CROSS JOIN LATERAL (VALUES
    ('account_registered', n.registered_at, n.was_registered_at IS NULL, 'account_registered:' || n.customer),
    ('loyalty_joined', n.loyalty_joined_at, n.was_joined_at IS DISTINCT FROM n.loyalty_joined_at,
     'loyalty_joined:' || n.customer || ':' || extract(epoch FROM n.loyalty_joined_at)),
    ('loyalty_left', n.loyalty_left_at, n.was_left_at IS DISTINCT FROM n.loyalty_left_at,
     'loyalty_left:' || n.customer || ':' || extract(epoch FROM n.loyalty_left_at)),
    ('customer_updated', %(now)s, n.status = 'updated', 'customer_updated:' || n.customer || ':' || %(at)s))
    AS told (name, at, is_news, key)
WHERE told.at IS NOT NULL AND told.is_news ON CONFLICT DO NOTHING"""
STATUS = """UPDATE intake_rows r SET status = n.status FROM intake_customers n
WHERE n.customer = r.customer AND r.reason IS NULL"""


class Customers(Kind):
    """People who buy from the store, found by external id, then e-mail, then phone; empty cells leave what is known."""

    name = "customers"
    columns = (
        Column("source", cells.text(40), "The system that external_id is of. Empty: the sender's.", example="till"),
        Column("external_id", cells.text(120), "What that system calls the customer.", example="C-17"),
        Column("email", cells.email, "E-mail address; capitals do not matter.", example="ann@example.com"),
        Column(
            "phone",
            cells.phone,
            "Phone number; without a country code, of the store's country.",
            example="617 555 0117",
        ),
        Column("first_name", cells.text(100), "Given name.", example="Ann"),
        Column("last_name", cells.text(100), "Family name.", example="Lee"),
        Column("birthday", cells.birthday, "1990-04-30, or 04-30 without the year.", example="04-30"),
        Column("gender", cells.text(20), "In the store's own words.", example="female"),
        Column("state", cells.text(60), "Code or name of the state.", example="Massachusetts"),
        Column(
            "country", cells.country, "Code or English name. Empty: the store's, for reading the state.", example="US"
        ),
        Column("postal_code", cells.text(12), "ZIP or postal code.", example="01970"),
        Column("time_zone", cells.time_zone, "Such as America/New_York. Empty: the store's."),
        Column("language", cells.language, "Such as en or pt-BR.", example="en"),
        Column("registered_at", cells.moment, "When the store account was made.", "timestamptz", example="2026-03-01"),
        Column("profile_completed_at", cells.moment, "When the account's profile was complete.", "timestamptz"),
        Column(
            "loyalty_joined_at",
            cells.moment,
            "When the customer joined the loyalty programme.",
            "timestamptz",
            example="2026-03-02 10:30",
        ),
        Column("loyalty_left_at", cells.moment, "When the customer left it.", "timestamptz"),
        *(
            Column(f"consent_{channel.value}", cells.consent, f"{channel.label}: yes, no, pending or unknown.")
            for channel in Channel
        ),
        Column(
            "consent_at",
            cells.moment,
            "When the consents were given. Without it, yes never overrules an earlier no.",
            "timestamptz",
            example="2026-03-02 10:30",
        ),
        Column("consent_source", cells.text(60), "Where they were given. Empty: the source.", example="sign-up form"),
        Column("tags", cells.tags, "Tags with semicolons between them.", example="regular; tea lover"),
        Column(
            "attributes",
            cells.json_object,
            "Anything else, as an object in JSON.",
            "jsonb",
            example='{"roast": "dark"}',
        ),
    )

    def check(self, table: Table, context: Context, reasons: Reasons) -> None:
        table["source"] = [source or context.source for source in table["source"]]
        for position, keys in enumerate(zip(table["external_id"], table["email"], table["phone"], strict=True)):
            if not any(keys) and not reasons.get(position):
                reasons[position].append("external_id, email or phone: one of them must say who it is.")
        for position, (joined, left) in enumerate(
            zip(table["loyalty_joined_at"], table["loyalty_left_at"], strict=True)
        ):
            if joined and left and left < joined:
                reasons[position].append("loyalty_left_at lies before loyalty_joined_at.")
        for position, state in enumerate(table["state"]):
            if state:
                try:
                    table["state"][position] = cells.state(state, table["country"][position] or context.country)
                except ValueError as error:
                    reasons[position].append(str(error))

    def merge(self, cursor: Any, context: Context) -> dict[str, int]:
        now = {"now": context.now, "at": context.now.isoformat(), "source": context.source}
        who.resolve(cursor, context, PEOPLE)
        for statement in (OWNERS, LOST, TAKEN, TAKEN_WITHIN, LEFT_EARLY, GATHER):
            cursor.execute(statement)
        cursor.execute("ANALYZE intake_customers")
        cursor.execute(CHANGE, now)
        cursor.execute(AGREE, now)
        cursor.execute(TAGS)
        cursor.execute(TAG, now)
        cursor.execute(TELL, now)
        cursor.execute(STATUS)
        cursor.execute("SELECT status, count(*) FROM intake_customers GROUP BY status")
        return {"created": 0, "updated": 0, "unchanged": 0} | dict(cursor.fetchall())


CUSTOMERS = Customers()
