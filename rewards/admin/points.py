from django.contrib import admin
from unfold.decorators import display

from loyaltyflow.store.admin.base import ReadOnlyAdmin
from loyaltyflow.store.clock import store
from loyaltyflow.store.templatetags.figures import moment, money, points, signed
from segments.admin import counted

from ..models import Account, Entry


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    list_display = ["customer", "amount", "kind", "explanation", "when"]
    list_filter = ["kind", "occurred_at"]
    list_select_related = ["customer"]
    search_fields = ["customer__email", "customer__last_name"]
    ordering = ["-occurred_at", "-pk"]
    fields = ["customer", "amount", "kind", "explanation", "order", "when", "rule_then"]
    readonly_fields = fields

    @display(description="points", ordering="points")
    def amount(self, entry: Entry) -> str:
        return f"{signed(entry.points)} pts"

    @display(description="when", ordering="occurred_at")
    def when(self, entry: Entry) -> str:
        return moment(entry.occurred_at)

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
