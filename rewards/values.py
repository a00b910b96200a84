from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from django.db.models import BigIntegerField, Exists, OuterRef, Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from loyaltyflow.store.clock import store_read_once
from loyaltyflow.store.models import StoreSettings
from loyaltyflow.store.templatetags import figures
from messaging.models import Message
from messaging.values import Known, Values

from .models import Account, Entry, Voucher
from .progress import INSTANT, Progress, progress
from .vouchers import VoucherQuerySet


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


class VoucherValues(Values):
    """A voucher of the customer: in a workflow the one that it gave last, else the newest that can be used."""

    prefix = "voucher"
    is_of_rows = True
    names = {
        "code": "The voucher's code, such as CLUB-4HW9D-7KX2M",
        "title": "What it is for, such as $10.00 off your next purchase",
        "expires": "The last day on which it can be used, such as November 28, 2026",
    }

    def for_customers(self, ids: Sequence[int], now: datetime) -> Known:
        usable = Voucher.objects.usable(now).filter(customer__any=ids)
        return _told(usable.order_by("customer", "-assigned_at", "-pk").distinct("customer"), "customer_id")

    def for_rows(self, ids: Sequence[int], now: datetime) -> Known:
        return _told(Voucher.objects.filter(pk__any=ids), "pk")


def _told(vouchers: VoucherQuerySet, by: str) -> Known:
    store = StoreSettings.load()
    known: Known = {}
    for row, code, title, ends in vouchers.values_list(by, "code", "discount__title", "expires_at"):
        known[row] = {"code": code, "title": title}
        if ends:
            last_day = store.local(ends - timedelta(microseconds=1)).date()
            known[row]["expires"] = format_date(last_day, "long", locale=store.locale)
    return known


def _is_gone(now: datetime) -> Q:
    """Which messages speak of a voucher that can no longer be used."""
    told = Cast(KeyTextTransform("voucher", OuterRef("values")), BigIntegerField())
    return Q(values__voucher__gt=0) & ~Q(Exists(Voucher.objects.usable(now).filter(pk=told)))


Message.pointless[Message.Reason.VOUCHER_GONE] = _is_gone


class TierValues(Values):
    """Which tier the customer is in, for how long, and what is missing to the next one."""

    prefix = "tier"
    names = {
        "name": "Tier the customer is in, such as Gold",
        "until": "Day on which its term ends, such as Nov 30, 2027",
        "next": "The next tier, such as Platinum",
        "missing": "What is missing to the next tier, such as 240 points or $120.00",
        "content_url": "Page for members of the tier and of those above",
    }

    def for_customers(self, ids: Sequence[int], now: datetime) -> Known:
        with store_read_once() as store:
            return {pk: _standing(each, store) for pk, each in progress(ids, now).items()}


def _standing(found: Progress, store: StoreSettings) -> dict[str, str]:
    """Of one customer what is known."""
    said = {
        "name": found.tier.name if found.tier else "",
        "until": figures.day(store.local(found.until - INSTANT).date()) if found.until else "",
        "next": found.next.name if found.next else "",
        "missing": found.written(found.missing) if found.next else "",
        "content_url": found.page,
    }
    return {name: text for name, text in said.items() if text}


def _said(amount: str, worth: str, points: int, store: StoreSettings) -> dict[str, str]:
    """So many points and their worth, as the store writes numbers and money."""
    value = Decimal(points) * store.point_value
    return {
        amount: format_decimal(points, locale=store.locale),
        worth: format_currency(value, store.currency, locale=store.locale),
    }
