"""The system's own pages: what the tick did."""

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from unfold.admin import ModelAdmin

from .models import TickRun


@admin.register(TickRun)
class TickRunAdmin(ModelAdmin):
    list_display = ["now", "started_at", "took", "stages_in_words", "is_well"]
    list_filter = ["has_failed"]
    fields = ["now", "started_at", "took", "stage_table"]
    readonly_fields = fields
    show_full_result_count = False

    @admin.display(description="Took")
    def took(self, run: TickRun) -> str:
        return "Still running, or was stopped" if run.seconds is None else f"{run.seconds:.1f} s"

    @admin.display(description="Did")
    def stages_in_words(self, run: TickRun) -> str:
        return ", ".join(_counts(stage) for stage in run.stages if _counts(stage)) or "Nothing to do"

    @admin.display(description="All well", boolean=True, ordering="-has_failed")
    def is_well(self, run: TickRun) -> bool:
        return not run.has_failed

    @admin.display(description="Stages")
    def stage_table(self, run: TickRun) -> SafeString:
        stages = [{**stage, "did": _counts(stage) or "nothing to do"} for stage in run.stages]
        return mark_safe(render_to_string("admin/loyaltyflow/tickrun/stages.html", {"stages": stages}))  # noqa: S308

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: TickRun | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TickRun | None = None) -> bool:
        return False


def _counts(stage: dict[str, dict[str, int]]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in stage["counts"].items() if number)
