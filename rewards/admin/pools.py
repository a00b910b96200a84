"""Pools of codes: made in the background, brought in from files, and written out as files."""

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from loyaltyflow.audit.files import csv_file
from loyaltyflow.store import sheets
from loyaltyflow.store.admin.base import StoreAdmin
from loyaltyflow.store.intake import Context
from loyaltyflow.store.intake.files import CannotBeRead
from loyaltyflow.store.models import StoreSettings
from loyaltyflow.store.templatetags.figures import count, moment

from .. import code_lists, pools
from ..discounts import Discount
from ..vouchers import CodePool

MOST = 10_000_000
FETCHED = 5_000  # rows of an export that are in memory at once


class PoolForm(forms.ModelForm):  # type: ignore[type-arg]
    """How many new codes of a discount are to be made."""

    number = forms.IntegerField(
        label="How many codes",
        widget=UnfoldAdminIntegerFieldWidget,
        validators=[MinValueValidator(1), MaxValueValidator(MOST)],
        help_text="A million take about a minute, in the background.",
    )

    class Meta:
        model = CodePool
        fields = ["discount", "name"]
        help_texts = {"name": "What staff call these codes, such as Flyer of May."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["discount"].queryset = Discount.objects.non_polymorphic()  # type: ignore[attr-defined]

    def save(self, commit: bool = True) -> CodePool:
        self.instance.wanted = self.cleaned_data["number"]
        return super().save(commit)


class ImportForm(forms.Form):
    """A file of codes that another system made."""

    discount = forms.ModelChoiceField(Discount.objects.none(), widget=UnfoldAdminSelectWidget)
    name = forms.CharField(label="Name of the pool", max_length=100, widget=UnfoldAdminTextInputWidget)
    file = forms.FileField(
        label="CSV file with one code a line",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.txt,text/csv"}),
    )
    only_these = forms.BooleanField(
        label="Give only codes of pools for this discount",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["discount"].queryset = Discount.objects.non_polymorphic()  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if CodePool.objects.filter(name=name).exists():
            raise forms.ValidationError(f"There is a pool called “{name}” already. Give this one another name.")
        return name


@admin.register(CodePool)
class CodePoolAdmin(StoreAdmin):
    form = PoolForm
    list_display = ["name", "discount", "codes", "free_now", "given_so_far", "used_so_far", "since"]
    list_filter = [("discount", RelatedDropdownFilter)]
    list_select_related = ["discount"]
    search_fields = ["name", "discount__name"]
    list_before_template = "admin/rewards/codepool/buttons.html"
    change_form_outer_before_template = "admin/rewards/codepool/pool.html"
    actions = None
    shown = ["name", "discount", "codes", "free_now", "given_so_far", "used_so_far", "since", "created_by"]

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site.admin_view
        return [
            path("import/", site(self.bring_in), name="rewards_codepool_import"),
            path("<int:pk>/progress/", site(self.progress), name="rewards_codepool_progress"),
            path("<int:pk>/go-on/", site(require_POST(self.go_on)), name="rewards_codepool_go_on"),
            path("<int:pk>/codes.csv", site(self.export), name="rewards_codepool_export"),
            path("<int:pk>/rejected.csv", site(self.rejected), name="rewards_codepool_rejected"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CodePool]:
        return CodePool.objects.with_counts()

    def get_fields(self, request: HttpRequest, obj: CodePool | None = None) -> Any:
        return self.shown if obj else ["discount", "name", "number"]

    def get_readonly_fields(self, request: HttpRequest, obj: CodePool | None = None) -> Any:
        return self.shown if obj else []

    def get_form(self, request: HttpRequest, obj: CodePool | None = None, change: bool = False, **kwargs: Any) -> Any:
        """The form of a new one; what is there is only shown."""
        return super().get_form(request, obj, change, **(kwargs | {"form": forms.ModelForm} if obj else kwargs))

    def has_change_permission(self, request: HttpRequest, obj: CodePool | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: CodePool | None = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        told = {"title": "Generate codes", "show_save_and_continue": False, "show_save_and_add_another": False}
        page: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **told})
        return page

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The pool, with how far its codes have come."""
        pool = self.get_object(request, object_id)
        told = self._about(request, pool) if pool else {}
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **told})
        return page

    def save_model(self, request: HttpRequest, obj: CodePool, form: Any, change: bool) -> None:
        obj.created_by = cast(User, request.user)
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: CodePool, post_url_continue: str | None = None) -> HttpResponse:
        """To the pool's page, which shows the codes coming."""
        pools.fill_later(obj.pk)
        messages.success(request, f"{count(obj.wanted)} codes are being made. You may leave this page.")
        return HttpResponseRedirect(_page(obj))

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How many codes there are by now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        pool = get_object_or_404(CodePool, pk=pk)
        return TemplateResponse(request, "admin/rewards/codepool/progress.html", self._about(request, pool))

    def go_on(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask a worker once more for the codes that are still missing."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        pool = get_object_or_404(CodePool, pk=pk)
        if not pool.is_whole:
            pools.fill_later(pool.pk)
        return HttpResponseRedirect(_page(pool))

    def bring_in(self, request: HttpRequest) -> HttpResponse:
        """Take the codes of a file into a new pool, and say what became of its rows."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ImportForm(request.POST or None, request.FILES or None)
        if form.is_valid() and (pool := self._taken(request, form)):
            if form.cleaned_data["only_these"]:
                Discount.objects.non_polymorphic().filter(pk=pool.discount_id).update(makes_codes=False)
            told = f"{pool.file_name}: {count(pool.made)} codes, {count(pool.rejected)} rows rejected."
            (messages.warning if pool.rejected else messages.success)(request, told)
            return HttpResponseRedirect(_page(pool))
        context = self.admin_site.each_context(request) | {"title": "Import codes", "opts": self.opts, "form": form}
        return TemplateResponse(request, "admin/rewards/codepool/import.html", context)

    def _taken(self, request: HttpRequest, form: ImportForm) -> CodePool | None:
        file, known = form.cleaned_data["file"], form.cleaned_data
        context = Context.of(StoreSettings.load(), timezone.now(), "upload")
        opened, by = cast(BinaryIO, file.file), cast(User, request.user)
        try:
            return code_lists.take(known["discount"], known["name"], opened, file.name or "", context, by)
        except CannotBeRead as error:
            form.add_error("file", str(error))
        return None

    def export(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The pool's codes as a CSV file, sent while it is read."""
        if not request.user.has_perm("rewards.export_codepool"):
            raise PermissionDenied
        pool = get_object_or_404(CodePool, pk=pk)
        rows = pool.vouchers.count()
        return csv_file(_codes(pool), _slug(pool), label="rewards.codepool", what=f"Codes of {pool}", rows=rows)

    def rejected(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The rejected rows of the pool's file as a CSV file, to correct and send again."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        pool = get_object_or_404(CodePool, pk=pk)
        lines, rows = code_lists.rejected_rows(pool), pool.rejected_rows.count()
        what = f"Rejected rows of {pool}"
        return csv_file(lines, f"{_slug(pool)}-rejected", label="rewards.codepool", what=what, rows=rows)

    def _about(self, request: HttpRequest, pool: CodePool) -> dict[str, Any]:
        share = pool.made / pool.wanted if pool.wanted else 1.0
        return {
            "pool": pool,
            "share": share,
            "may_export": request.user.has_perm("rewards.export_codepool"),
            "may_add": self.has_add_permission(request),
        }

    @display(description="codes")
    def codes(self, pool: CodePool) -> str:
        return count(pool.made) if pool.is_whole else f"{count(pool.made)} of {count(pool.wanted)}"

    @display(description="free")
    def free_now(self, pool: Any) -> str:
        return count(pool.free)

    @display(description="given")
    def given_so_far(self, pool: Any) -> str:
        return count(pool.given)

    @display(description="used")
    def used_so_far(self, pool: Any) -> str:
        return count(pool.used)

    @display(description="since", ordering="created_at")
    def since(self, pool: CodePool) -> str:
        return f"{moment(pool.created_at)}, {'from a file' if pool.is_imported else 'made here'}"


def _page(pool: CodePool) -> str:
    return reverse("admin:rewards_codepool_change", args=[pool.pk])


def _slug(pool: CodePool) -> str:
    return slugify(pool.name) or "codes"


def _codes(pool: CodePool) -> Iterator[str]:
    zone = StoreSettings.load().zone
    yield sheets.line(["code", "state", "given_at"])
    rows = pool.vouchers.order_by("pk").values_list("code", "state", "assigned_at")
    for code, state, given in rows.iterator(chunk_size=FETCHED):
        yield sheets.line([code, state, given.astimezone(zone).isoformat(timespec="seconds") if given else ""])
