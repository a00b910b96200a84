"""What an answer that refuses something looks like: one shape for all of the API."""

from collections.abc import Iterator, Mapping
from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler


class InFlight(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "in_progress"
    default_detail = "A request with this Idempotency-Key is at work right now. Ask again in a moment."


class KeyReused(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "key_reused"
    default_detail = "This Idempotency-Key was used for another request. Take a new key for each request."


class Busy(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "busy"
    default_detail = "Somebody else changed the same rows at the same moment. Nothing was taken in; send it again."


class SeveralFound(APIException):
    """More than one customer fits what was asked."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "several_found"
    default_detail = "Several customers share it. Ask by e-mail or card, or take the id of one of them."

    def __init__(self, customers: list[dict[str, Any]]) -> None:
        super().__init__()
        self.current = {"customers": customers}


def error(code: str, reason: str, detail: str, current: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The body of an answer that refuses something.

    `code` is what is refused: a voucher's code, `points`, or the kind of error. `reason` says why in a word of a fixed
    list, `detail` in a sentence, and `current` how things stand now.
    """
    return {"error": {"code": code, "reason": reason, "detail": detail, "current": dict(current or {})}}


def answered(fault: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's answer to a fault, in our shape; None for what is nobody's fault but ours."""
    response = exception_handler(fault, context)
    if response is None:
        return None
    if isinstance(fault, ValidationError):
        response.data = invalid(fault.detail)
        return response
    detail = getattr(fault, "detail", None) or (response.data or {}).get("detail", "")
    code = getattr(detail, "code", "") or "not_found"
    response.data = error(code, code, str(detail), getattr(fault, "current", None))
    return response


def invalid(faults: Any) -> dict[str, Any]:
    """The body of an answer to what has wrong fields: each of them with what was expected and found."""
    fields = dict(_flat(faults, ()))
    said = " ".join(f"{name}: {text}" if name else text for name, text in fields.items())
    return error("invalid", "invalid", said, {"fields": fields})


def _flat(faults: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each wrong field, as bill.lines.0.sku, and what is wrong with it."""
    if isinstance(faults, dict):
        for name, inner in faults.items():
            yield from _flat(inner, path if name in ("", "non_field_errors") else (*path, str(name)))
    elif any(isinstance(each, dict | list) for each in faults):
        for number, inner in enumerate(faults):
            yield from _flat(inner, (*path, str(number)))
    elif faults:
        yield ".".join(path), " ".join(str(each) for each in faults)
