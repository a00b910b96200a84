from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from babel.numbers import format_currency

from loyaltyflow.store.models import StoreSettings
from messaging.values import Known, Values

from .models import Account


class PointsValues(Values):
    """What points the customer has, and what they are worth."""

    prefix = "points"
    names = {
        "balance": "Points the customer has, such as 1240",
        "worth": "What those points are worth, such as $62.00",
    }

    def for_customers(self, ids: Sequence[int], now: datetime) -> Known:
        store = StoreSettings.load()
        balances = dict(Account.objects.filter(pk__any=ids).values_list("pk", "balance"))
        return {pk: {"balance": balances.get(pk, 0), "worth": _worth(balances.get(pk, 0), store)} for pk in ids}


def _worth(points: int, store: StoreSettings) -> str:
    """The worth of so many points, as the store writes money."""
    return format_currency(Decimal(points) * store.point_value, store.currency, locale=store.locale)
