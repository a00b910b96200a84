"""Budgets, and how much of each is used."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.views import ChangeList

from loyaltyflow.store.admin.base import FormAdmin

from ..budgets import Budget, Spending, used_now


class BudgetList(ChangeList):
    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, each with what is used of it in this period."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        used = used_now(self.result_list, timezone.now())
        for budget in self.result_list:
            budget.used = used[budget.pk]


@admin.register(Budget)
class BudgetAdmin(FormAdmin):
    list_display = ["name", "in_words", "bar"]
    list_filter = ["unit"]
    search_fields = ["name"]
    fields = ["name", ("unit", "amount"), "per_customer", "period", "behaviour"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BudgetList

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> list[str]:
        """What was given of it was counted in its unit and its periods."""
        has_begun = obj is not None and Spending.objects.filter(budget=obj).exists()
        return ["unit", "period"] if has_begun else []

    def has_delete_permission(self, request: HttpRequest, obj: Budget | None = None) -> bool:
        """A budget of which something was given is kept."""
        has_begun = obj is not None and Spending.objects.filter(budget=obj).exists()
        return not has_begun and bool(super().has_delete_permission(request, obj))

    @display(description="how much")
    def in_words(self, budget: Budget) -> str:
        return budget.summary()

    @display(description="used in this period")
    def bar(self, budget: Any) -> SafeString:
        """How much is used, of how much, as a bar and in words."""
        said = f"{budget.written(budget.used)} of {budget.written(budget.amount)}"
        return format_html(
            '<span class="lf"><progress class="lf-used" max="{}" value="{}" aria-label="{}"></progress> {}</span>',
            budget.amount,
            min(budget.used, budget.amount),
            said,
            said,
        )
