"""Each request takes effect once, however often it is sent: the same Idempotency-Key gets the same answer."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from django.http import HttpResponse
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from loyaltyflow import planned
from loyaltyflow.again import StillInTheWay, again
from loyaltyflow.models import ApiKey

from .body import Body
from .errors import Busy, InFlight, KeyReused

REPLAYED = "Idempotent-Replayed"
# Whether nobody else works under the name, and the answer that was given under it. It waits for nobody.
KNOWN = """
SELECT pg_try_advisory_xact_lock(hashtextextended(%(name)s, 0)), fingerprint, status, body
FROM (SELECT) AS one
LEFT JOIN loyaltyflow_answer AS known ON known.api_key_id = %(api_key)s::bigint AND known.key = %(key)s
"""
# An answer that may be lost with the machine makes nobody wait for the disk.
KEEP = """
INSERT INTO loyaltyflow_answer (api_key_id, key, fingerprint, status, body, created_at)
VALUES (%(api_key)s, %(key)s, %(fingerprint)s, %(status)s, %(body)s, now())
RETURNING CASE WHEN NOT %(is_lasting)s THEN set_config('synchronous_commit', 'off', true) END
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: an HTTP status and what is written as JSON."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    is_lasting: bool = True  # whether the answer must outlive a crash of the machine


class NothingDone(Exception):
    """What was begun is to be taken back. The answer is kept all the same: `reply` makes it, with what goes with it."""

    def __init__(self, reply: Callable[[], Reply]) -> None:
        super().__init__()
        self.reply = reply


def once(request: Request, act: Callable[[], Reply]) -> HttpResponse:
    """The answer of `act`, or the stored one if it was asked for under the request's Idempotency-Key before.

    The effect and its answer are one transaction, which is tried again when another writer was faster or in the way.
    If it raises NothingDone, only the answer is written. Raises InFlight, KeyReused, or Busy when another writer still
    was in the way after all tries.
    """
    api_key, key, fingerprint = cast(ApiKey, request.auth), key_of(request), fingerprint_of(request)
    try:
        try:
            return again(lambda: _once(api_key, key, fingerprint, act))
        except NothingDone as begun:
            reply = begun.reply
            return again(lambda: _once(api_key, key, fingerprint, reply))
    except StillInTheWay:
        raise Busy from None


def _once(api_key: ApiKey, key: str, fingerprint: str, act: Callable[[], Reply]) -> HttpResponse:
    asked = {"api_key": api_key.pk, "key": key}
    [(is_free, known, status, body)] = planned.rows(KNOWN, {**asked, "name": f"{api_key.pk}:{key}"})
    if not is_free:
        raise InFlight
    if known is not None:
        if known != fingerprint:
            raise KeyReused
        return _response(status, body, {REPLAYED: "true"})
    reply = act()
    text = json.dumps(reply.body, separators=(",", ":"))
    kept = {"fingerprint": fingerprint, "status": reply.status, "body": text, "is_lasting": reply.is_lasting}
    planned.rows(KEEP, {**asked, **kept})
    return _response(reply.status, text)


def _response(status: int, text: str, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="application/json", headers=headers)


def key_of(request: Request) -> str:
    """The request's Idempotency-Key; raises ParseError if it is missing or not one."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if not key:
        raise ParseError("The header Idempotency-Key is missing. Send a new UUID with each new request.")
    if len(key) > 128 or not key.isascii() or not key.isprintable():
        raise ParseError("The header Idempotency-Key must be at most 128 printable ASCII characters.")
    return key


def fingerprint_of(request: Request) -> str:
    """What tells this request from others: its method if that is not POST, its path and its body."""
    raw = request.data.raw if isinstance(request.data, Body) else b""
    method = "" if request.method == "POST" else f"{request.method} "
    return hashlib.sha256(method.encode() + request.path.encode() + b"\n" + raw).hexdigest()
