"""The body of a request, read with care: it may be anything."""

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

BYTES_ALLOWED = 10 * 1024 * 1024
ROWS_ALLOWED = 1_000


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body is larger than {BYTES_ALLOWED // 1024**2} MB. Send fewer rows at once."


class Body:
    """The bytes as they came, and the rows in them."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def value(self) -> Any:
        """What is in it; raises ParseError for what is not JSON."""
        try:
            return json.loads(self.raw, parse_constant=_refuse)
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}.") from None

    def rows(self) -> list[Any]:
        """The rows of a list, or the single one; raises ParseError for what is not JSON or too much."""
        value = self.value()
        if isinstance(value, dict):
            return [value]
        if not isinstance(value, list):
            raise ParseError("The body must be an object, or a list of objects.")
        if not 1 <= len(value) <= ROWS_ALLOWED:
            raise ParseError(f"The list has {len(value):,} rows; send 1 to {ROWS_ALLOWED:,}.")
        return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number in JSON")


class BodyParser(BaseParser):
    """Keeps the bytes, of which the idempotency check needs a fingerprint."""

    media_type = "application/json"

    def parse(  # type: ignore[override]
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Body:
        raw = stream.read(BYTES_ALLOWED + 1)
        if len(raw) > BYTES_ALLOWED:
            raise BodyTooLarge
        return Body(raw)
