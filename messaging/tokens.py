"""The token in a message's open, click and unsubscribe addresses: one keyed hash a message."""

from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest

from django.conf import settings


@lru_cache(maxsize=8)
def _key(secret: str) -> bytes:
    return blake2b(secret.encode(), person=b"message links").digest()


def _mark(number: bytes, secret: str) -> str:
    return urlsafe_b64encode(blake2b(number, key=_key(secret), digest_size=15).digest()).decode()


def token(message: int) -> str:
    """The message's number and what only this installation can add to it: 120 bits as 20 signs."""
    return f"{message}.{_mark(b'%d' % message, settings.SECRET_KEY)}"


def message_of(token: str) -> int | None:
    """The number of the message that a token was made for; None if we did not make it."""
    number, _, mark = token.partition(".")
    if not (number.isascii() and number.isdigit() and len(number) < 19 and mark.isascii()):
        return None
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if any(compare_digest(_mark(number.encode(), secret), mark) for secret in secrets):
        return int(number)
    return None
