"""What the program adds to the audit: by which key a request came, what a change means in words, and what went out."""

from contextlib import AbstractContextManager
from typing import Any

import pghistory
from django.db import connection

EXPORTED = """
INSERT INTO loyaltyflow_change (action, model, name, before, after, user_id, actor, role, address, path, reason)
SELECT 'exported', %s, left(%s, 200), '{}', jsonb_build_object('rows', %s::bigint),
    user_id, actor, role, address, path, reason
FROM audit_who()
"""


def by_key(name: str) -> None:
    """Say that the request came by the API key of that name."""
    pghistory.context(actor=f"API key {name}")


def because(reason: str) -> AbstractContextManager[Any]:
    """Within the block, changes are made for that reason."""
    return pghistory.context(reason=reason)


def told(label: str, pk: int, before: dict[str, str], after: dict[str, str]) -> AbstractContextManager[Any]:
    """Within the block, a change of that object is told in these words besides: what it said before and after."""
    words: Any = {f"{label}:{pk}": {"before": before, "after": after}}
    return pghistory.context(told=words)


def exported(label: str, what: str, rows: int | None = None) -> None:
    """Write down that rows of the model left the house, and as what."""
    with connection.cursor() as cursor:
        cursor.execute(EXPORTED, [label, what, rows])
