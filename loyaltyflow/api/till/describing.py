"""What the API's description says of the addresses for tills."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)

from . import examples, told
from .fields import Strict

View = TypeVar("View")
KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    required=True,
    description="A new UUID for each new request. The same request again gets the same answer.",
)
ANSWERS: dict[str, tuple[str, type[Strict]]] = {
    "look_up": ("get", told.PersonTold),
    "quote": ("post", told.QuoteTold),
    "hold": ("post", told.HoldTold),
    "release": ("delete", told.HoldTold),
    "commit": ("post", told.CommitTold),
    "refund": ("post", told.UndoneTold),
    "cancel": ("post", told.UndoneTold),
    "take_reward": ("post", told.RewardTold),
    "cancel_reward": ("post", told.RewardTold),
    "redeem_voucher": ("post", told.VoucherUseTold),
    "release_voucher": ("post", told.VoucherUseTold),
    "adjust": ("post", told.AdjustmentTold),
}
ERRORS = {
    400: "Something is missing or wrong; `current.fields` says what was expected and found.",
    401: "No good key.",
    403: "The key lacks the scope.",
    404: "Not known.",
    406: "Only JSON is answered.",
    409: "Refused: `reason` says why, `current` how it stands now. Or the same request is still at work.",
    413: "Too large.",
    415: "Only JSON is read.",
    422: "The Idempotency-Key was used for another request.",
    429: "Too many unknown codes; the header Retry-After says in how many seconds to go on.",
    503: "Others were in the way. Nothing was done; send it again.",
}
NOT_READING = (413, 415, 422, 429, 503)


def described(name: str, summary: str, shape: type[Strict] | None = None) -> Callable[[View], View]:
    """A class decorator that describes the one method of a view."""
    method, answer = ANSWERS[name]
    reads = method == "get"
    errors = {code: text for code, text in ERRORS.items() if not reads or code not in NOT_READING}
    told_of: dict[int, Any] = {200: answer}
    told_of |= {code: OpenApiResponse(told.Error, text) for code, text in errors.items()}
    return extend_schema_view(  # type: ignore[return-value]
        **{
            method: extend_schema(
                summary=summary,
                tags=["till"],
                operation_id=name,
                parameters=[shape] if reads and shape else [KEY],
                request=None if reads or shape is None else {"application/json": shape},
                responses=told_of,
                examples=_examples(name),
            )
        }
    )


def _examples(name: str) -> list[OpenApiExample]:
    """What is sent, and how a code that another till has used is refused."""
    refused = OpenApiExample("Used at another till", examples.REFUSED, response_only=True, status_codes=["409"])
    sent = examples.SENT.get(name)
    return [OpenApiExample("An example", sent, request_only=True), refused] if sent else [refused]
