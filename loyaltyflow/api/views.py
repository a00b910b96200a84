"""The addresses that take facts in. Each request takes effect once, however often it is sent."""

import hashlib
from typing import Any, ClassVar, cast

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from loyaltyflow.models import Answer, ApiKey
from loyaltyflow.store.intake import CUSTOMERS, EVENTS, ORDERS, PRODUCTS, Context, Kind
from loyaltyflow.store.models import StoreSettings

from .body import Body, BodyParser
from .rows import Rows
from .schema import described


class InFlight(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "A request with this Idempotency-Key is at work right now. Ask again in a moment."


class KeyReused(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "This Idempotency-Key was used for another request. Take a new key for each request."


class Busy(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Somebody else changed the same rows at the same moment. Nothing was taken in; send it again."


class IntakeView(APIView):
    """Takes one object or a list of them."""

    kind: ClassVar[Kind]
    scope: ClassVar[str]
    parser_classes = [BodyParser]

    def post(self, request: Request) -> Response:
        key, body, api_key = _idempotency_key(request), request.data, cast(ApiKey, request.auth)
        if not isinstance(body, Body):
            raise ParseError("The body is empty; send an object or a list of objects in JSON.")
        rows = body.rows()
        fingerprint = hashlib.sha256(request.path.encode() + b"\n" + body.raw).hexdigest()
        for is_last in (False, True):
            try:
                return self._answer(api_key, key, fingerprint, rows)
            except (IntegrityError, OperationalError):  # another writer was faster, or in the way
                if is_last:
                    raise Busy from None
        raise Busy

    @transaction.atomic
    def _answer(self, api_key: ApiKey, key: str, fingerprint: str, rows: list[Any]) -> Response:
        """The stored answer, or a new one: the effect and its answer are one transaction."""
        if not _lock(f"{api_key.pk}:{key}"):
            raise InFlight
        known = Answer.objects.filter(api_key=api_key, key=key).first()
        if known is not None:
            if known.fingerprint != fingerprint:
                raise KeyReused
            return Response(known.body, known.status, headers={"Idempotency-Replayed": "true"})
        store = StoreSettings.load()
        context = Context.of(store, store.local(timezone.now()), "api")
        answer = {"results": Rows(self.kind, rows).take(context)}
        Answer.objects.create(api_key=api_key, key=key, fingerprint=fingerprint, status=200, body=answer)
        return Response(answer)


def _lock(name: str) -> bool:
    """Whether this transaction is the only one that works under the name; it is until it ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        return bool(cursor.fetchone()[0])


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "").strip()
    if not key:
        raise ParseError("The header Idempotency-Key is missing. Send a new UUID with each new request.")
    if len(key) > 128 or not key.isascii() or not key.isprintable():
        raise ParseError("The header Idempotency-Key must be at most 128 printable ASCII characters.")
    return key


@described(CUSTOMERS)
class CustomersView(IntakeView):
    kind, scope = CUSTOMERS, "customers"


@described(PRODUCTS)
class ProductsView(IntakeView):
    kind, scope = PRODUCTS, "products"


@described(ORDERS)
class OrdersView(IntakeView):
    kind, scope = ORDERS, "orders"


@described(EVENTS)
class EventsView(IntakeView):
    kind, scope = EVENTS, "events"
