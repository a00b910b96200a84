from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from loyaltyflow.store.events import happened
from loyaltyflow.store.intake import Context, cells
from loyaltyflow.store.models import Consent, Customer, ExternalId, StoreSettings

from ..templatetags import figures as written
from .base import ReadOnlyAdmin
from .bought import BoughtFilter
from .tags import TagActions, TagFilter, TaggingFormSet, TaggingInline


class CustomerForm(forms.ModelForm):  # type: ignore[type-arg]
    """Reads addresses, phones and states the way the imports do."""

    # Longer than the columns: people write more signs than are kept.
    phone = forms.CharField(required=False, max_length=40, widget=UnfoldAdminTextInputWidget)
    state = forms.CharField(
        required=False, max_length=60, widget=UnfoldAdminTextInputWidget, help_text="Code or name, such as MA."
    )

    class Meta:
        model = Customer
        fields = "__all__"  # noqa: DJ007  the admin's fieldsets choose
        labels = {
            "email": "E-mail",
            "birth_month": "Month",
            "birth_day": "Day",
            "birth_year": "Year",
            "registered_at": "Account since",
            "profile_completed_at": "Profile complete since",
            "loyalty_joined_at": "Member since",
            "loyalty_left_at": "Left on",
        }
        help_texts = {
            "email": "Each address belongs to one customer.",
            "language": "Code, such as en or pt-BR.",
            "country": "Code, such as US.",
            "birth_month": "1 to 12.",
            "birth_year": "May be empty.",
            "registered_at": "",
        }

    def _cleaned(self, name: str, clean: cells.Cleaner) -> str:
        text = self.cleaned_data.get(name) or ""
        store = StoreSettings.load()
        try:
            return clean(text, Context.of(store, timezone.now(), "admin")) if text else ""
        except ValueError as error:
            raise ValidationError(f"{str(error)[:1].upper()}{str(error)[1:]}") from None

    def clean_email(self) -> str:
        address = self._cleaned("email", cells.email)
        other = Customer.objects.filter(email__iexact=address).exclude(pk=self.instance.pk).first() if address else None
        if other:
            raise ValidationError(f"{other} has this address already.")
        return address

    def clean_phone(self) -> str:
        return self._cleaned("phone", cells.phone)

    def clean_country(self) -> str:
        return self._cleaned("country", cells.country)

    def clean_time_zone(self) -> str:
        return self._cleaned("time_zone", cells.time_zone)

    def clean_language(self) -> str:
        return self._cleaned("language", cells.language)

    def clean(self) -> dict[str, Any]:
        known = super().clean() or self.cleaned_data
        if not self.errors and not any(known.get(name) for name in ("first_name", "last_name", "email", "phone")):
            raise ValidationError("Give a name, an e-mail address or a phone number.")
        if state := known.get("state"):
            try:
                known["state"] = cells.state(state, known.get("country") or StoreSettings.load().country)
            except ValueError as error:
                self.add_error("state", str(error).removeprefix("state: "))
        self._check_birthday(known)
        return known

    def _check_birthday(self, known: dict[str, Any]) -> None:
        year, month, day = (known.get(f"birth_{part}") for part in ("year", "month", "day"))
        if month is None and day is None:
            return
        try:
            datetime(year or 2000, month or 0, day or 0)  # noqa: DTZ001  only to see whether the day exists
        except ValueError:
            self.add_error("birth_day", "There is no such day. Give both the month and the day, or neither.")


class ConsentInline(TabularInline):
    """The words given so far; a new one is added below them, none is changed."""

    model = Consent
    fields = ["channel", "status", "source", "proof", "given"]
    readonly_fields = ["given"]
    ordering = ["-given_at", "-pk"]
    extra = 0
    tab = True

    @admin.display(description="Given")
    def given(self, consent: Consent) -> str:
        return written.moment(consent.given_at) if consent.pk else written.NONE

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ExternalIdInline(TabularInline):
    model = ExternalId
    verbose_name = "number in another system"
    verbose_name_plural = "numbers in other systems"
    extra = 0
    tab = True


@admin.register(Customer)
class CustomerAdmin(TagActions):
    form = CustomerForm
    list_display = ["who", "address", "number", "state", "member_since", "known_since"]
    list_filter = [
        "state",
        TagFilter,
        BoughtFilter,
        ("loyalty_joined_at", RangeDateTimeFilter),
        ("registered_at", RangeDateTimeFilter),
    ]
    search_fields = ["email", "phone", "first_name", "last_name", "external_ids__external_id"]
    search_help_text = "Name, e-mail address, phone number or number in another system"
    ordering = ["-pk"]
    inlines = [TaggingInline, ConsentInline, ExternalIdInline]
    readonly_fields = ["added", "changed"]
    fieldsets = [
        (None, {"fields": [("first_name", "last_name"), ("email", "phone"), ("gender", "language")]}),
        ("Birthday", {"fields": [("birth_month", "birth_day", "birth_year")]}),
        ("Lives in", {"fields": [("state", "country"), ("postal_code", "time_zone")]}),
        ("Account", {"fields": ["registered_at", "profile_completed_at", ("added", "changed")]}),
        ("Loyalty programme", {"fields": ["loyalty_joined_at", "loyalty_left_at"]}),
    ]

    @admin.display(description="Customer", ordering="last_name")
    def who(self, customer: Customer) -> str:
        return str(customer)

    @admin.display(description="E-mail", ordering="email")
    def address(self, customer: Customer) -> str:
        return customer.email

    @admin.display(description="Phone", ordering="phone")
    def number(self, customer: Customer) -> str:
        return written.phone(customer.phone)

    @admin.display(description="Known here since")
    def added(self, customer: Customer) -> str:
        return written.moment(customer.created_at) if customer.pk else written.NONE

    @admin.display(description="Last change")
    def changed(self, customer: Customer) -> str:
        return written.moment(customer.updated_at) if customer.pk else written.NONE

    @admin.display(description="Member since", ordering="loyalty_joined_at")
    def member_since(self, customer: Customer) -> str:
        if customer.loyalty_left_at and customer.loyalty_left_at <= timezone.now():
            return f"Left {written.moment(customer.loyalty_left_at)}"
        return written.moment(customer.loyalty_joined_at) if customer.loyalty_joined_at else ""

    @admin.display(description="Account since", ordering="registered_at")
    def known_since(self, customer: Customer) -> str:
        return written.moment(customer.registered_at) if customer.registered_at else ""

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Those found by the words, and whoever has the phone number that is searched for, however it is written."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        try:
            number = cells.phone(search_term, Context.of(StoreSettings.load(), timezone.now(), "admin"))
        except ValueError:
            return found, may_repeat
        return found | queryset.filter(phone=number), may_repeat

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        now = timezone.now()
        obj.updated_at = now
        super().save_model(request, obj, form, change)
        if not change:
            happened("contact_added", obj.pk, now, f"contact_added:{obj.pk}", "admin")
        elif form.changed_data:
            happened("customer_updated", obj.pk, now, f"customer_updated:{obj.pk}:{now.isoformat()}", "admin")
        self._tell(obj, form.changed_data)

    def _tell(self, customer: Customer, changed: list[str]) -> None:
        if "registered_at" in changed and customer.registered_at:
            happened(
                "account_registered", customer.pk, customer.registered_at, f"account_registered:{customer.pk}", "admin"
            )
        for name, field in (("loyalty_joined", "loyalty_joined_at"), ("loyalty_left", "loyalty_left_at")):
            at = getattr(customer, field)
            if field in changed and at:
                happened(name, customer.pk, at, f"{name}:{customer.pk}:{at.timestamp():.6f}", "admin")

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        now = timezone.now()
        if isinstance(formset, TaggingFormSet):
            formset.by, formset.now = request.user, now
        super().save_formset(request, form, formset, change)
        for made in formset.new_objects:
            if isinstance(made, Consent):
                told = {"channel": made.channel, "status": made.status}
                happened("consent_changed", made.customer_id, now, f"consent_changed:{made.pk}", "admin", **told)


@admin.register(Consent)
class ConsentAdmin(ReadOnlyAdmin):
    """Every word that was ever given; a new one is added on the customer's page."""

    list_display = ["customer", "channel", "status", "source", "given"]
    list_filter = [
        ("channel", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("given_at", RangeDateTimeFilter),
    ]
    list_select_related = ["customer"]
    search_fields = ["customer__email", "customer__phone"]
    search_help_text = "A customer's e-mail address or phone number"
    ordering = ["-pk"]

    @admin.display(description="Given", ordering="given_at")
    def given(self, consent: Consent) -> str:
        return written.moment(consent.given_at)
