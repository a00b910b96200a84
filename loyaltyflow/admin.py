"""The system's own pages: what the tick did, and who may send us facts."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django_q import admin as background_work
from django_q.models import Schedule

from loyaltyflow.audit.admin import ChangeAdmin
from loyaltyflow.store.admin.base import FormAdmin, ReadOnlyAdmin

from . import merge_pages  # noqa: F401 - its page registers itself
from .customer_page.admin import CustomerPage
from .models import ApiKey, TickRun
from .store.models import Customer
from .store.templatetags.figures import moment

__all__ = ["ApiKeyAdmin", "ChangeAdmin", "ScheduleAdmin", "TickRunAdmin"]

STAGES = {
    "carts.abandon": "Carts left behind",
    "earning.settle": "Points",
    "ledger.lapse": "Points that wait or expire",
    "vouchers.expire": "Vouchers",
    "holds.end": "Holds of tills",
    "segments.refresh": "Segments",
    "engine.enrol": "Entering workflows",
    "engine.advance": "Workflow steps",
    "notices.send": "Points notices",
    "outbox.release": "Messages",
    "outbox.deliver": "Messages",
    "attribution.credit": "Conversions",
    "figures.refresh": "Figures",
    "ledger.totals": "Sums of the ledger",
    "ledger.prove": "Proof of the ledger",
}


# django-q's own page would let whoever may add a schedule run any Python function.
background_work.admin.site.unregister(Schedule)

# The form becomes a page of what all apps know.
admin.site.unregister(Customer)
admin.site.register(Customer, CustomerPage)


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    list_display = ["name", "every", "next"]
    fields = ["name", "every", "next"]
    readonly_fields = fields

    @admin.display(description="Runs")
    def every(self, schedule: Schedule) -> str:
        minutes = schedule.minutes
        return f"Every {minutes} minutes" if minutes and minutes > 1 else "Every minute"

    @admin.display(description="Next run", ordering="next_run")
    def next(self, schedule: Schedule) -> str:
        return moment(schedule.next_run)


@admin.register(TickRun)
class TickRunAdmin(ReadOnlyAdmin):
    list_display = ["worked_for", "began", "took", "stages_in_words", "is_well"]
    list_filter = ["has_failed"]
    fields = ["worked_for", "began", "took", "stage_table"]
    readonly_fields = fields

    @admin.display(description="Worked for", ordering="now")
    def worked_for(self, run: TickRun) -> str:
        return moment(run.now)

    @admin.display(description="Began", ordering="started_at")
    def began(self, run: TickRun) -> str:
        return moment(run.started_at)

    @admin.display(description="Took")
    def took(self, run: TickRun) -> str:
        return "Still running, or was stopped" if run.seconds is None else f"{run.seconds:.1f} s"

    @admin.display(description="Did")
    def stages_in_words(self, run: TickRun) -> str:
        did = [f"{_title(stage)}: {_counts(stage)}" for stage in run.stages if _counts(stage)]
        return "; ".join(did) or "Nothing to do"

    @admin.display(description="All well", boolean=True, ordering="-has_failed")
    def is_well(self, run: TickRun) -> bool:
        return not run.has_failed

    @admin.display(description="Stages")
    def stage_table(self, run: TickRun) -> SafeString:
        stages = [{**stage, "name": _title(stage), "did": _counts(stage) or "nothing to do"} for stage in run.stages]
        return mark_safe(render_to_string("admin/loyaltyflow/tickrun/stages.html", {"stages": stages}))  # noqa: S308


def _title(stage: dict[str, str]) -> str:
    """What the stage is about, as staff call it."""
    return STAGES.get(stage["name"], stage["name"])


def _counts(stage: dict[str, dict[str, int]]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in stage["counts"].items() if number)


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A name, and what the key may send."""

    scopes = forms.MultipleChoiceField(
        label="May send", choices=ApiKey.Scope.choices, widget=forms.CheckboxSelectMultiple
    )

    def clean_source(self) -> str:
        return self.cleaned_data["source"] or "till"

    class Meta:
        model = ApiKey
        fields = ["name", "scopes", "source"]


@admin.register(ApiKey)
class ApiKeyAdmin(FormAdmin):
    form = ApiKeyForm
    list_display = ["name", "prefix", "may_send", "made", "last_used", "is_good"]
    fields = ["name", "scopes", "source", "prefix", "made", "last_used", "revoked"]
    readonly_fields = ["prefix", "made", "last_used", "revoked"]
    actions = ["revoke"]

    @admin.display(description="May send")
    def may_send(self, key: ApiKey) -> str:
        return ", ".join(str(ApiKey.Scope(scope).label) for scope in key.scopes)

    @admin.display(description="Made", ordering="created_at")
    def made(self, key: ApiKey) -> str:
        return moment(key.created_at)

    @admin.display(description="Last used", ordering="last_used_at")
    def last_used(self, key: ApiKey) -> str:
        return moment(key.last_used_at)

    @admin.display(description="Revoked")
    def revoked(self, key: ApiKey) -> str:
        return moment(key.revoked_at)

    @admin.display(description="Can be used", boolean=True)
    def is_good(self, key: ApiKey) -> bool:
        return key.revoked_at is None

    @admin.action(description="Revoke the chosen keys", permissions=["change"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        count = keys.filter(revoked_at=None).update(revoked_at=timezone.now())
        self.message_user(request, f"{count} keys were revoked; nothing can be sent with them any more.")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return self.fields if obj else ["name", "scopes", "source"]

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Show the secret of a new key, this once."""
        secret = "" if change else obj.give_secret()
        super().save_model(request, obj, form, change)
        if secret:
            self.message_user(request, f"Copy the key now, it is not shown again: {secret}", messages.WARNING)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
