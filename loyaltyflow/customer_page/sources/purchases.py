from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from loyaltyflow.store.models import Customer, Order, OrderLine, Refund
from loyaltyflow.store.templatetags.figures import count, money

from .base import Source, Told, link


class Bought(Source):
    """An order, when it was completed or, if it is not yet, placed."""

    group, permission = "purchases", "store.view_order"
    at = Coalesce("completed_at", "placed_at")

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Order.objects.filter(customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        lines = OrderLine.objects.filter(order=OuterRef("pk")).order_by("-net", "number")
        orders = Order.objects.filter(pk__any=numbers).annotate(
            products=Count("lines"), dearest=Subquery(lines.values("product__name")[:1])
        )
        return {each.pk: self._told(each) for each in orders}

    def _told(self, order: Any) -> Told:
        where = f" at {order.store_location}" if order.store_location else ""
        state = "" if order.completed_at else ", not completed"
        return Told(
            "shopping_basket",
            f"{order}{where}{state}",
            _products(order.products, order.dearest),
            money(order.net),
            link(order),
            "lf-purchase",
        )


class Cancelled(Source):
    """An order, when it was cancelled."""

    group, permission, at = "purchases", "store.view_order", "cancelled_at"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Order.objects.filter(customer=customer, cancelled_at__isnull=False)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        orders = Order.objects.filter(pk__any=numbers)
        return {
            each.pk: Told("remove_shopping_cart", f"{each} was cancelled", much=money(-each.net), link=link(each))
            for each in orders
        }


class PaidBack(Source):
    """A refund of an order, or of a part of it."""

    group, permission, at = "purchases", "store.view_order", "at"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Refund.objects.filter(order__customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        refunds = Refund.objects.filter(pk__any=numbers).select_related("order")
        return {each.pk: self._told(each) for each in refunds}

    def _told(self, refund: Refund) -> Told:
        order = refund.order
        what = "Refund of all" if refund.amount == order.net else "Refund of a part"
        return Told("undo", f"{what} of order {order.external_id}", much=money(-refund.amount), link=link(order))


def _products(number: int, dearest: str | None) -> str:
    if not number or not dearest:
        return "No products are known"
    return dearest if number == 1 else f"{count(number)} products, {dearest} among them"
