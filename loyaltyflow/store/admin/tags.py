"""Tags on the pages of customers: who has which, since when, and adding and removing them."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import DropdownFilter
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from loyaltyflow.store import tags
from loyaltyflow.store.models import Customer, Tag, Tagging
from loyaltyflow.words import number

from ..templatetags import figures as written
from .base import StoreAdmin


class TaggingFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """Adds and removes tags as the rest of the program does: once, with an event each, and the past is kept."""

    by: Any = None
    now: datetime

    @property
    def _customer(self) -> Any:
        return Customer.objects.filter(pk=self.instance.pk)

    def save_new(self, form: Any, commit: bool = True) -> Tagging:
        """The tagging; the one that is there already if the customer has the tag."""
        tag = form.cleaned_data["tag"]
        tags.add(self._customer, tag.name, self.now, "admin", self.by)
        return Tagging.objects.open().get(customer=self.instance, tag=tag)

    def delete_existing(self, obj: Tagging, commit: bool = True) -> None:
        tags.remove(self._customer, obj.tag.name, self.now, "admin", self.by)


class TaggingInline(TabularInline):
    """The tags that the customer has; they are added and removed, never changed."""

    model = Tagging
    formset = TaggingFormSet
    verbose_name = "tag"
    verbose_name_plural = "tags"
    fields = ["tag", "added", "added_by"]
    readonly_fields = ["added", "added_by"]
    autocomplete_fields = ["tag"]
    extra = 0
    tab = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tagging]:
        return super().get_queryset(request).filter(removed_at=None).select_related("tag", "added_by")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Added")
    def added(self, tagging: Tagging) -> str:
        return written.moment(tagging.added_at) if tagging.pk else written.NONE


class TagFilter(DropdownFilter):
    """Who has a tag now."""

    title = "tag"
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return list(Tag.objects.order_by("name").values_list("pk", "name"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        if not (self.value() or "").isdecimal():
            return queryset
        return queryset.filter(Exists(Tagging.objects.open().filter(customer=OuterRef("pk"), tag=self.value())))


class TagActionForm(ActionForm):
    """Which tag to add to the chosen customers, or to remove."""

    tag = forms.CharField(
        label="",
        required=False,
        max_length=60,
        widget=UnfoldAdminTextInputWidget({"placeholder": "Tag, such as vip", "aria-label": "Tag"}),
    )


class TagActions(StoreAdmin):
    """Adding a tag to all customers who are chosen in the list, and removing it."""

    actions = ["add_tag", "remove_tag"]
    action_form = TagActionForm

    @admin.action(description="Add the tag", permissions=["change"])
    def add_tag(self, request: HttpRequest, chosen: Any) -> None:
        if name := self._asked(request):
            count = tags.add(chosen.order_by(), name, timezone.now(), "admin", self._staff(request))
            messages.success(request, f"{number(count, 'customer')} got the tag “{name}”.")

    @admin.action(description="Remove the tag", permissions=["change"])
    def remove_tag(self, request: HttpRequest, chosen: Any) -> None:
        if name := self._asked(request):
            count = tags.remove(chosen.order_by(), name, timezone.now(), "admin", self._staff(request))
            messages.success(request, f"{number(count, 'customer')} lost the tag “{name}”.")

    def _asked(self, request: HttpRequest) -> str:
        name = Tag.normalise(request.POST.get("tag", ""))
        if not name:
            messages.error(request, "No tag was given. Write one beside the action, such as vip.")
        return name

    def _staff(self, request: HttpRequest) -> Any:
        return request.user


class TagForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Tag
        fields = ["name"]

    def clean_name(self) -> str:
        name = Tag.normalise(self.cleaned_data["name"])
        if not name:
            raise forms.ValidationError("A tag needs letters or digits, such as vip.")
        return name


@admin.register(Tag)
class TagAdmin(StoreAdmin):
    form = TagForm
    list_display = ["name"]
    search_fields = ["name"]
    ordering = ["name"]
