"""That the database itself keeps the ledger and the audit from being changed, and writes the audit down."""

from collections.abc import Callable
from typing import Any

from loyaltyflow.audit import triggers
from loyaltyflow.only_added import guards

from .check import Check


def _named(found: Callable[[], list[tuple[str, str]]], tables: str, triggers: str) -> Callable[[], dict[str, Any]]:
    def known() -> dict[str, Any]:
        return dict(zip((tables, triggers), map(list, zip(*found(), strict=True)), strict=True))

    return known


# Of every table that is declared to be only added to, the audit of what staff do too. A trigger that was replaced by
# one that looks away guards nothing.
ONLY_ADDED = Check(
    "only added",
    """
    SELECT DISTINCT 'The table ' || wanted.name
        || ' can be changed: a trigger that refuses it is missing or switched off.'
    FROM unnest(%(tables)s::text[], %(guards)s::text[]) AS wanted (name, guard)
    WHERE NOT EXISTS (
        SELECT FROM pg_trigger AS guard JOIN pg_proc AS act ON act.oid = guard.tgfoid
        WHERE guard.tgrelid = to_regclass(wanted.name) AND guard.tgname = wanted.guard AND guard.tgenabled IN ('O', 'A')
        AND guard.tgqual IS NULL AND strpos(act.prosrc, 'RAISE EXCEPTION') > 0
    )
    """,
    _named(guards, "tables", "guards"),
)
AUDITED = Check(
    "audited",
    """
    SELECT DISTINCT 'What changes in the table ' || wanted.name
        || ' is not written down: a trigger of the audit is missing or switched off.'
    FROM unnest(%(audited)s::text[], %(writers)s::text[]) AS wanted (name, writer)
    WHERE NOT EXISTS (
        SELECT FROM pg_trigger AS writer JOIN pg_proc AS act ON act.oid = writer.tgfoid
        WHERE writer.tgrelid = to_regclass(wanted.name) AND writer.tgname = wanted.writer
        AND writer.tgenabled IN ('O', 'A') AND writer.tgqual IS NULL
        AND strpos(act.prosrc, 'INSERT INTO loyaltyflow_change') > 0
    )
    """,
    _named(triggers.writers, "audited", "writers"),
)
