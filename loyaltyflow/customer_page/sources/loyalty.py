from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import day, last_day, money, signed
from rewards.models import Entry, Lot, Redemption, Standing, Voucher

from .base import Source, Told, joined, link


class Points(Source):
    """A movement of points."""

    group, permission, at = "points", "rewards.view_entry", "occurred_at"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Entry.objects.filter(customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        lots = Lot.objects.pending(now).filter(pk__any=numbers)
        waits = dict(lots.values_list("pk", "available_at"))
        entries = Entry.objects.filter(pk__any=numbers).select_related("by")
        return {each.pk: self._told(each, waits.get(each.pk)) for each in entries}

    def _told(self, entry: Entry, waits_until: datetime | None) -> Told:
        pending = f", pending until {day(waits_until)}" if waits_until else ""
        by = f"by {entry.by}" if entry.by else ""
        what = f"{entry.get_kind_display()}{pending}"
        return Told("toll", what, joined(entry.explanation, by), f"{signed(entry.points)} pts", link(entry))


class Tiers(Source):
    """The beginning of a time in a tier."""

    group, permission, at = "points", "rewards.view_standing", "since"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Standing.objects.filter(customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        standings = Standing.objects.filter(pk__any=numbers).select_related("tier", "by")
        return {each.pk: self._told(each) for each in standings}

    def _told(self, standing: Standing) -> Told:
        by = f"by {standing.by}" if standing.by else ""
        more = joined(standing.get_reason_display(), standing.note, by)
        return Told("workspace_premium", f"Tier {standing.tier}", more, link=link(standing))


class Given(Source):
    """A voucher, when the customer got it."""

    group, permission = "vouchers", "rewards.view_voucher"
    at = Coalesce("assigned_at", "created_at")

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Voucher.objects.filter(customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        vouchers = Voucher.objects.filter(pk__any=numbers).select_related("discount", "order")
        return {each.pk: self._told(each) for each in vouchers}

    def _told(self, voucher: Voucher) -> Told:
        until = f"until {last_day(voucher.expires_at)}" if voucher.expires_at else ""
        order = f"with order {voucher.order.external_id}" if voucher.order else ""
        what = f"Got voucher {voucher}, {voucher.discount.title}"
        return Told("confirmation_number", what, joined(until, order), link=link(voucher))


class Used(Source):
    """A use of a voucher or another discount."""

    group, permission, at = "vouchers", "rewards.view_redemption", "redeemed_at"
    undone = False

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Redemption.objects.filter(customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        uses = Redemption.objects.filter(pk__any=numbers).select_related("voucher", "discount", "order")
        return {each.pk: self._told(each) for each in uses}

    def _told(self, use: Redemption) -> Told:
        voucher = f"voucher {use.voucher}, " if use.voucher else ""
        what = f"{'Took back' if self.undone else 'Used'} {voucher}{use.discount.title}"
        amount = use.amount if self.undone else -use.amount
        where = joined(f"Order {use.order.external_id}", use.store_location, use.till)
        return Told("confirmation_number", what, where, money(amount), link(use.voucher or use.order))


class Undone(Used):
    """The same, when it was undone."""

    at = "reversed_at"
    undone = True

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Redemption.objects.filter(customer=customer, reversed_at__isnull=False)
