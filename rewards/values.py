from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from babel.numbers import format_currency, format_decimal

from loyaltyflow.store.models import StoreSettings
from messaging.values import Known, Values

from .models import Account, Entry


class PointsValues(Values):
    """What points the customer has, what a workflow gave last, and what they are worth."""

    prefix = "points"
    names = {
        "balance": "Points the customer has, such as 1,240",
        "worth": "What those points are worth, such as $62.00",
        "gift": "Points that a workflow gave the customer last, such as 100",
        "gift_worth": "What that gift is worth, such as $5.00",
    }

    def for_customers(self, ids: Sequence[int], now: datetime) -> Known:
        store = StoreSettings.load()
        balances = dict(Account.objects.filter(pk__any=ids).values_list("pk", "balance"))
        known: Known = {pk: _said("balance", "worth", balances.get(pk, 0), store) for pk in ids}
        for pk, points in Entry.objects.last_gifts(ids).values_list("customer_id", "points"):
            known[pk] |= _said("gift", "gift_worth", points, store)
        return known


def _said(amount: str, worth: str, points: int, store: StoreSettings) -> dict[str, str]:
    """So many points and their worth, as the store writes numbers and money."""
    value = Decimal(points) * store.point_value
    return {
        amount: format_decimal(points, locale=store.locale),
        worth: format_currency(value, store.currency, locale=store.locale),
    }
