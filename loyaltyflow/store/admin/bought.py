from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter

from loyaltyflow.store.models import Customer, Order

LAPSES_AFTER = timedelta(days=90)


class BoughtFilter(DropdownFilter):
    """Members of the programme by how they buy: the customers behind the dashboard's figures."""

    title = "members by purchases"
    parameter_name = "bought"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [
            ("ever", "Bought something"),
            ("again", "Bought twice or more"),
            ("lately", "Bought in the past 90 days"),
            ("lapsed", "Bought, but not in the past 90 days"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        now = timezone.now()
        asked = how_they_bought(now).get(self.value() or "")
        if asked is None:
            return queryset
        purchases = Order.objects.purchases(now).filter(customer=OuterRef("pk")).order_by().values("customer")
        counted = queryset.filter(Customer.member_q(now)).annotate(
            purchases=Subquery(purchases.annotate(n=Count("pk")).values("n")),
            last_bought=Subquery(purchases.annotate(at=Max("completed_at")).values("at")),
        )
        return counted.filter(asked)


def how_they_bought(now: datetime) -> dict[str, Q]:
    """What each choice asks of a member's number of `purchases` and of `last_bought`."""
    since = now - LAPSES_AFTER
    return {
        "ever": Q(purchases__gte=1),
        "again": Q(purchases__gte=2),
        "lately": Q(last_bought__gte=since),
        "lapsed": Q(last_bought__lt=since),
    }
