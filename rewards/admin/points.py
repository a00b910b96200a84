from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from loyaltyflow.store.admin.base import ReadOnlyAdmin
from loyaltyflow.store.clock import store
from loyaltyflow.store.templatetags.figures import moment, money, points, signed
from segments.admin import counted

from .. import notifying
from ..models import Account, Entry, Notice


class NoticeFilter(admin.SimpleListFilter):
    """Whether the customer was told of the movement."""

    title = "notice"
    parameter_name = "notice"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("told", "Told"), ("exempt", "Could not be told"), ("missing", "Without notice")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        if self.value() == "missing":
            return queryset.filter(pk__in=notifying.missing(timezone.now()).order_by().values("pk"))
        if self.value() == "exempt":
            return queryset.filter(notice__in=Notice.objects.exclude(exemption=""))
        return queryset.filter(notice__exemption="") if self.value() == "told" else queryset


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    list_display = ["customer", "amount", "kind", "explanation", "when"]
    list_filter = ["kind", "occurred_at", NoticeFilter]
    list_select_related = ["customer"]
    search_fields = ["customer__email", "customer__last_name"]
    ordering = ["-occurred_at", "-pk"]
    fields = ["customer", "amount", "kind", "explanation", "order", "when", "by", "told", "rule_then"]
    readonly_fields = fields

    @display(description="points", ordering="points")
    def amount(self, entry: Entry) -> str:
        return f"{signed(entry.points)} pts"

    @display(description="when", ordering="occurred_at")
    def when(self, entry: Entry) -> str:
        return moment(entry.occurred_at)

    @display(description="told of it")
    def told(self, entry: Entry) -> str:
        known = Notice.objects.filter(entry=entry).select_related("message").first()
        if known is None:
            return "Not yet"
        return known.get_exemption_display() or f"By {known.message}"

    @display(description="the rule at that time")
    def rule_then(self, entry: Entry) -> str:
        if "rule" not in entry.rule:
            return "–"
        points = entry.rule.get("points", entry.rule.get("points_per_unit"))
        return f"{entry.rule['name']}: {points} {'point' if points == 1 else 'points'}"


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ["customer", "points", "worth", "changed"]
    list_select_related = ["customer"]
    search_fields = ["customer__email", "customer__last_name"]
    ordering = ["-balance", "pk"]
    fields = ["customer", "points", "worth", "changed"]
    readonly_fields = fields

    @display(description="points", ordering="balance")
    def points(self, account: Account) -> str:
        return points(account.balance)

    @display(description="worth", ordering="balance")
    def worth(self, account: Account) -> str:
        return money(account.balance * store().point_value)

    @display(description="last change", ordering="updated_at")
    def changed(self, account: Account) -> str:
        return moment(account.updated_at)


def _balances(customers: list[int]) -> dict[int, int]:
    """The points of each of the customers who has an account."""
    return dict(Account.objects.filter(customer__any=customers).values_list("customer", "balance"))


counted.SAID["Points"] = _balances
