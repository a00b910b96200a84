"""The addresses that take facts in. Each request takes effect once, however often it is sent."""

from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from loyaltyflow.store.intake import CUSTOMERS, EVENTS, ORDERS, PRODUCTS, Context, Kind
from loyaltyflow.store.models import StoreSettings

from .body import Body, BodyParser
from .once import Reply, key_of, once
from .rows import Rows
from .schema import described


class IntakeView(APIView):
    """Takes one object or a list of them."""

    kind: ClassVar[Kind]
    scope: ClassVar[str]
    parser_classes = [BodyParser]

    def post(self, request: Request) -> HttpResponse:
        key_of(request)
        if not isinstance(request.data, Body):
            raise ParseError("The body is empty; send an object or a list of objects in JSON.")
        rows = request.data.rows()
        return once(request, lambda: self._take(rows))

    def _take(self, rows: list[Any]) -> Reply:
        store = StoreSettings.load()
        context = Context.of(store, store.local(timezone.now()), "api")
        return Reply(200, {"results": Rows(self.kind, rows).take(context)})


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
