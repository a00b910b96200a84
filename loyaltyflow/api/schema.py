"""What the API's description says of each kind: its columns are the one source."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view

from loyaltyflow.store.intake import ORDERS, Column, Kind
from loyaltyflow.store.intake.cells import tags

from .body import ROWS_ALLOWED
from .rows import LINE_FIELDS

View = TypeVar("View")
TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "numeric": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "bigint": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "timestamptz": {"type": "string", "format": "date-time"},
    "jsonb": {"type": "object", "additionalProperties": True},
}
RESULT = {
    "type": "object",
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "row": {"type": "integer", "description": "Its place in the list, from 0."},
                    "status": {"type": "string", "enum": ["created", "updated", "unchanged", "rejected"]},
                    "errors": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}
ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "description": "What is refused: a voucher's code, points, or an error."},
                "reason": {"type": "string", "description": "Why, in one word."},
                "detail": {"type": "string", "description": "Why, and what to do."},
                "current": {"type": "object", "additionalProperties": True, "description": "How it stands now."},
            },
            "required": ["code", "reason", "detail", "current"],
            "additionalProperties": False,
        }
    },
    "required": ["error"],
    "additionalProperties": False,
}
ERRORS = {
    400: "Not JSON, or too many rows",
    401: "No good key",
    403: "Scope missing",
    409: "Still at work",
    413: "Too large",
    422: "Idempotency-Key used for another request",
    503: "Others were in the way; nothing was taken in, send it again",
}


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "loyaltyflow.api.keys.KeyAuthentication"
    name = "API key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A key made under API keys in the admin."}


def described(kind: Kind) -> Callable[[View], View]:
    """A class decorator that describes the POST of this kind."""
    key = OpenApiParameter(
        "Idempotency-Key", str, OpenApiParameter.HEADER, required=True, description="A new UUID for each new request."
    )
    single = object_schema(kind)
    body = {"oneOf": [single, {"type": "array", "items": single, "maxItems": ROWS_ALLOWED}]}
    post = extend_schema(
        summary=f"Send {kind.name}",
        description=f"{kind.__doc__} Fields that are not known are left out.",
        tags=[kind.name],
        operation_id=f"send_{kind.name}",
        parameters=[key],
        request={"application/json": body},
        responses={200: RESULT} | {code: {**ERROR, "description": text} for code, text in ERRORS.items()},
    )
    return extend_schema_view(post=post)  # type: ignore[return-value]


def object_schema(kind: Kind) -> dict[str, Any]:
    """The JSON schema of one row."""
    of_lines = set(LINE_FIELDS.values())
    columns = [column for column in kind.columns if kind is not ORDERS or column.name not in of_lines]
    properties = {column.name: _property(column) for column in columns}
    if kind is ORDERS:
        by_name = {column.name: column for column in kind.columns}
        line = {name: _property(by_name[column]) for name, column in LINE_FIELDS.items()}
        lines = {"type": "array", "items": {"type": "object", "properties": line, "required": ["sku"]}}
        properties["lines"] = {**lines, "description": "What was bought. Sent again, they replace the earlier lines."}
    required = [column.name for column in columns if column.is_required]
    return (
        {"type": "object", "properties": properties, "required": required}
        if required
        else {"type": "object", "properties": properties}
    )


def _property(column: Column) -> dict[str, Any]:
    kind = {"type": "array", "items": {"type": "string"}} if column.clean is tags else TYPES[column.type]
    return {**kind, "description": column.help}
