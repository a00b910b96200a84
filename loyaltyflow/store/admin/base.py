from datetime import date, datetime, time, timedelta
from typing import Any

from babel.numbers import get_currency_symbol
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import DateTimeField, JSONField, Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.timezone import make_aware
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.utils import parse_date_str

from ..clock import store

COUNTED = 10_000


class QuickPaginator(Paginator):  # type: ignore[type-arg]
    """Counts rows up to a limit; a list that is longer has no number of pages, only a next one.

    Counting millions of rows takes longer than showing fifty of them.
    """

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        """How many rows there are; one more than the limit if there are more."""
        return self.object_list.order_by().values("pk")[: COUNTED + 1].count()

    @property
    def is_long(self) -> bool:
        return self.count > COUNTED

    @property
    def template_name(self) -> str:
        """How the foot of the list looks."""
        return f"unfold/helpers/pagination_{'infinite' if self.is_long else 'default'}.html"

    @cached_property
    def num_pages(self) -> int:
        return 10**9 if self.is_long else -(-max(1, self.count) // self.per_page)

    def page(self, number: int | str) -> Page:  # type: ignore[type-arg]
        """That page; of a long list it may be empty."""
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        return Page(self.object_list[first : first + self.per_page], number, self)


class FormAdmin(ModelAdmin):
    """Pages of which every form can be filled in by the address that leads to it, whatever that says."""

    empty_value_display = "–"
    money_fields: tuple[str, ...] = ()  # those of them that are asked for name the store's currency

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The field, with the currency in the label of an amount of money."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and db_field.name in self.money_fields:
            settings = store()
            symbol = get_currency_symbol(settings.currency, locale=settings.locale)
            field.label = f"{field.label} ({symbol})"
        return field

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the address fills in; what cannot be read as such a field is left out."""
        known = super().get_changeform_initial_data(request).items()
        return {name: value for name, said in known if (value := _read(self.model, name, said)) is not None}


class StoreAdmin(FormAdmin):
    """A page that stays quick however many rows there are."""

    paginator = QuickPaginator
    show_full_result_count = False
    list_filter_submit = True
    list_per_page = 50


class ReadOnlyAdmin(StoreAdmin):
    """A page to look at: what it shows is only written by the program."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PeriodFilter(RangeDateFilter):
    """Days of the store's calendar from one to another, both included; for a field that holds a moment."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of those days; what is no day of these centuries leaves the rows as they are."""
        if first := self._day("from"):
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": _midnight(first)})
        if last := self._day("to"):
            queryset = queryset.filter(**{f"{self.parameter_name}__lt": _midnight(last + timedelta(days=1))})
        return queryset

    def _day(self, end: str) -> date | None:
        day: date | None = parse_date_str(str(self.used_parameters.get(f"{self.parameter_name}_{end}") or ""))
        return day if day and 1900 <= day.year <= 2200 else None


def _midnight(day: date) -> datetime:
    return make_aware(datetime.combine(day, time.min))


def _read(model: type[Model], name: str, said: Any) -> Any:
    """What a form can show of what an address says of the field; None if it can be nothing of such a field."""
    field = next((each for each in model._meta.get_fields() if each.name == name and each.concrete), None)
    try:
        if isinstance(field, DateTimeField):
            return field.to_python(said)
        if isinstance(field, JSONField):
            return None  # an address has no lists and objects
        if field is not None and field.related_model is not None:
            for each in said if isinstance(said, list) else [said]:
                field.related_model._meta.pk.to_python(each)
    except ValidationError:
        return None
    return said
