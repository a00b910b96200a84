"""Points moved by hand: the form, the list that is the report of them, and the second person's decision."""

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.views import ChangeList

from loyaltyflow.store.admin.base import FormAdmin, PeriodFilter, StoreAdmin
from loyaltyflow.store.clock import store
from loyaltyflow.store.templatetags.figures import count, moment, money, signed

from .. import adjustments
from ..adjustments import Adjustment, AdjustmentLimit, AdjustmentReason
from ..bill import Refused

STATES = {Adjustment.State.PENDING.label: "warning", Adjustment.State.REFUSED.label: "danger"}


class AdjustmentForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whose points, how many and why. Its key comes with the form, so that sending it twice counts once."""

    once = forms.CharField(max_length=100, widget=forms.HiddenInput)
    by: Any = None

    class Meta:
        model = Adjustment
        fields = ["customer", "points", "reason", "note"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["once"].initial = f"staff:{uuid4()}"
        self.fields["reason"].queryset = AdjustmentReason.objects.filter(is_active=True)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Make the adjustment: what the ledger refuses is told beside the form."""
        known = super().clean() or self.cleaned_data
        if self.errors:
            return known
        about = (known["customer"].pk, known["points"], known["reason"], known["note"])
        try:
            made = adjustments.adjust(*about, by=self.by, key=known["once"], now=timezone.now())
        except Refused as refused:
            raise ValidationError({"points": refused.refusal.detail}) from refused
        self.instance = made
        return known

    def validate_unique(self) -> None:
        """Nothing: the key has made sure of it."""

    def _post_clean(self) -> None:
        """Nothing: the row is written."""


class AdjustmentList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, and what all that the filters leave add up to."""
        super().get_results(request)
        moved = self.queryset.order_by().moved()
        self.moved = {"points": f"{signed(moved)} pts", "worth": money(moved * store().point_value)}


@admin.register(Adjustment)
class AdjustmentAdmin(StoreAdmin):
    add_fieldsets = [(None, {"fields": ["customer", "points", "reason", "note", "once"]})]
    list_display = ["who", "amount", "worth", "reason", "asked_for_by", "asked", "state_now"]
    list_filter = [
        "state",
        ("reason", RelatedDropdownFilter),
        ("by", RelatedDropdownFilter),
        ("asked_at", PeriodFilter),
    ]
    list_select_related = ["customer", "reason", "by"]
    search_fields = ["customer__email", "customer__last_name", "customer__phone"]
    search_help_text = "A customer's e-mail address, last name or phone number"
    ordering = ["-asked_at", "-pk"]
    autocomplete_fields = ["customer"]
    list_before_template = "admin/rewards/adjustment/total.html"
    change_form_outer_before_template = "admin/rewards/adjustment/decision.html"
    actions = None
    shown = ["who", "amount", "worth", "reason", "note", "asked_for_by", "asked", "state_now", "decided", "word"]

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(require_POST(self.decide))
        return [path("<int:pk>/decide/", decide, name="rewards_adjustment_decide"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Adjustment]:
        return Adjustment.objects.all()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AdjustmentList

    def get_fieldsets(self, request: HttpRequest, obj: Adjustment | None = None) -> Any:
        return [(None, {"fields": self.shown})] if obj else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Adjustment | None = None) -> Any:
        return self.shown if obj else []

    def get_form(self, request: HttpRequest, obj: Adjustment | None = None, change: bool = False, **kwargs: Any) -> Any:
        """For a new one the form that makes it, as the person; what is there is only shown."""
        if obj:
            return super().get_form(request, obj, change, **kwargs)
        form = super().get_form(request, obj, change, **{**kwargs, "form": AdjustmentForm})
        form.by = request.user
        return form

    def has_change_permission(self, request: HttpRequest, obj: Adjustment | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Adjustment | None = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form, with how many points the person may move alone."""
        told = {"title": "Adjust points", "most_alone": count(adjustments.most_alone(request.user))}  # type: ignore[arg-type]
        one_way = {"show_save_and_continue": False, "show_save_and_add_another": False}
        page: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **told, **one_way})
        return page

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What was asked for, with the decision if it still waits for one."""
        asked = self.get_object(request, object_id)
        told = {"waits": _waits(asked, request.user)} if asked else {}
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **told})
        return page

    def save_model(self, request: HttpRequest, obj: Adjustment, form: Any, change: bool) -> None:
        """Nothing: it was written when the form was checked, in the same transaction."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing: an adjustment has no rows of its own."""

    def response_add(
        self, request: HttpRequest, obj: Adjustment, post_url_continue: str | None = None
    ) -> HttpResponseRedirect:
        """To the adjustment, which says whether it is done."""
        if obj.state == Adjustment.State.PENDING:
            messages.warning(request, f"{_amount(obj)} for {obj.customer} wait for somebody else's approval.")
        else:
            done = "were added for" if obj.points > 0 else "were taken from"
            messages.success(request, f"{count(abs(obj.points))} points {done} {obj.customer}.")
        return HttpResponseRedirect(reverse("admin:rewards_adjustment_change", args=[obj.pk]))

    def decide(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Approve or refuse, and say what became of it."""
        if not request.user.has_perm("rewards.approve_adjustment"):
            raise PermissionDenied
        asked = get_object_or_404(Adjustment, pk=pk)
        now, word = timezone.now(), request.POST.get("word", "").replace("\0", "")[:200]
        verb = adjustments.approve if request.POST.get("decision") == "approve" else adjustments.refuse
        try:
            with transaction.atomic():
                is_done = verb(asked, request.user, now, word)  # type: ignore[arg-type]
        except ValidationError as error:
            messages.error(request, error.messages[0])
        except Refused as refused:
            messages.error(request, f"Nothing was changed. {refused.refusal.detail}")
        else:
            _tell(request, asked, is_done)
        return HttpResponseRedirect(reverse("admin:rewards_adjustment_change", args=[pk]))

    @display(description="customer", ordering="customer")
    def who(self, asked: Adjustment) -> str:
        return str(asked.customer)

    @display(description="points", ordering="points")
    def amount(self, asked: Adjustment) -> str:
        return _amount(asked)

    @display(description="worth", ordering="points")
    def worth(self, asked: Adjustment) -> str:
        return money(asked.points * store().point_value)

    @display(description="asked for by", ordering="by")
    def asked_for_by(self, asked: Adjustment) -> str:
        return asked.asked_by

    @display(description="asked for", ordering="asked_at")
    def asked(self, asked: Adjustment) -> str:
        return moment(asked.asked_at)

    @display(description="state", label=STATES, ordering="state")
    def state_now(self, asked: Adjustment) -> str:
        return asked.get_state_display()

    @display(description="decided")
    def decided(self, asked: Adjustment) -> str:
        if asked.decided_by is None:
            return "–"
        return f"{moment(asked.decided_at)} by {asked.decided_by.get_full_name() or asked.decided_by.get_username()}"


def _amount(asked: Adjustment) -> str:
    return f"{signed(asked.points)} pts"


def _waits(asked: Adjustment, person: Any) -> dict[str, Any]:
    """Whether it waits for a decision, and why the person may not make it."""
    if asked.state != Adjustment.State.PENDING:
        return {}
    if not person.has_perm("rewards.approve_adjustment"):
        return {"why_not": "Somebody who may approve adjustments has to decide."}
    return {"why_not": "You asked for it yourself, so somebody else has to decide." if asked.by == person else ""}


def _tell(request: HttpRequest, asked: Adjustment, is_done: bool) -> None:
    if not is_done:
        messages.error(request, "Nothing was changed: somebody else has decided on it already.")
    elif asked.state == Adjustment.State.DONE:
        messages.success(request, f"Approved: {_amount(asked)} for {asked.customer}.")
    else:
        messages.success(request, f"Refused: nothing was moved for {asked.customer}.")


@admin.register(AdjustmentReason)
class AdjustmentReasonAdmin(FormAdmin):
    list_display = ["title", "code", "is_active"]
    prepopulated_fields = {"code": ["title"]}

    def has_delete_permission(self, request: HttpRequest, obj: AdjustmentReason | None = None) -> bool:
        """A reason that was given is switched off, not deleted."""
        is_used = obj is not None and obj.adjustments.exists()
        return not is_used and bool(super().has_delete_permission(request, obj))


@admin.register(AdjustmentLimit)
class AdjustmentLimitAdmin(FormAdmin):
    list_display = ["group", "most"]
    list_select_related = ["group"]

    @display(description="points alone", ordering="points")
    def most(self, limit: AdjustmentLimit) -> str:
        return f"{count(limit.points)} pts"
