"""What stands in a customer's attributes under a name: the facts that the shop's other systems send along."""

from collections.abc import Callable
from datetime import datetime
from json import dumps
from typing import Any, ClassVar

from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.db.models import Case, DateTimeField, F, Func, Q, TextField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Length, Lower
from django.db.models.lookups import Exact, GreaterThan

from loyaltyflow.sql import LocalDayStart, Once
from loyaltyflow.store.models import Customer

SHOWN = 80  # characters
KINDS = {str: "a text", int: "a number", float: "a number", bool: "yes or no", list: "a list", dict: "an object"}
LOOKED_AT = 5_000  # of the newest customers, for the names that are suggested
# A day from 1900 to 2199 that exists: PostgreSQL 15 cannot be asked whether it could read one.
DAY = (
    "((19|20|21)[0-9]{2}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    "|02-(0[1-9]|1[0-9]|2[0-8]))|((19|21)(0[48]|[2468][048]|[13579][26])|20([02468][048]|[13579][26]))-02-29)"
)
TIME = "[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?"
OFFSET = "(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])"


class OfAttribute(models.Model):
    """Asks about an attribute by its name; one that holds another type of value is not known."""

    attribute = models.CharField(
        max_length=120,
        validators=[ProhibitNullCharactersValidator()],
        help_text="Its name, letter by letter as your other systems send it.",
    )

    suggestions: ClassVar[dict[str, Callable[[], list[str]]]] = {"attribute": lambda: names()}

    class Meta:
        abstract = True

    def warnings(self) -> list[str]:
        """That no customer has the attribute, if so."""
        if Customer.objects.filter(attributes__has_key=self.attribute).exists():
            return []
        return [f"No customer has the attribute “{self.attribute}” yet."]

    def found(self, customer: Customer, *types: type) -> str:
        """What the customer's attribute holds, and that it is of another type than those that count, if so."""
        value = customer.attributes.get(self.attribute)
        if value is None:
            return f"{self.attribute}: not known"
        shown = dumps(value, ensure_ascii=False)
        said = f"{self.attribute}: {shown if len(shown) <= SHOWN else f'{shown[:SHOWN]}…'}"
        counts = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        return said if counts else f"{said}, which is {KINDS[type(value)]}"


class Attribute(Func):
    """The value of an attribute, as JSON, if it is of the JSON type; else NULL."""

    output_field = models.JSONField()

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(F("attributes"))
        self.name, self.kind = name, kind

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        attributes, parameters = compiler.compile(self.source_expressions[0])
        value = f"{attributes} -> %s::text"
        sql = f"(CASE WHEN jsonb_typeof({value}) = %s THEN {value} END)"
        return sql, [*parameters, self.name, self.kind, *parameters, self.name]

    @property
    def identity(self) -> tuple[Any, ...]:
        return (*super().identity, self.name, self.kind)


class Said(Func):
    """A JSON value as plain text, without quotes."""

    template = "(%(expressions)s #>> '{}')"
    output_field = TextField()


class Number(Func):
    """The number that a text says, with all its digits."""

    template = "(%(expressions)s)::numeric"
    output_field = models.DecimalField()


def text(name: str) -> Combinable:
    """The attribute's text; NULL if it has none."""
    return Said(Attribute(name, "string"))


def number(name: str) -> Combinable:
    """The attribute's number; NULL if it has none."""
    return Number(Said(Attribute(name, "number")))


def yes_no(name: str) -> Combinable:
    """Whether the attribute says yes; NULL if it says neither yes nor no."""
    return Cast(Said(Attribute(name, "boolean")), models.BooleanField())


def json_list(name: str) -> Combinable:
    """The attribute's list, as JSON; NULL if it has none."""
    return Attribute(name, "array")


def instant(name: str, now: datetime) -> Combinable:
    """The attribute's instant; NULL if its text is none. A day is its midnight on the clock of `now`."""
    return Once(text(name), lambda said: _read(said, now.tzinfo.key), DateTimeField())  # type: ignore[union-attr]


def _read(said: Combinable, zone: str) -> Combinable:
    noon = OnClock(Concatenated(said, Value(" 12:00")), zone)
    is_day, is_time = Exact(Length(said), 10), GreaterThan(Length(said), 10)
    return Case(
        When(Q(is_day) & Q(Matches(said, f"^{DAY}$")), then=LocalDayStart(noon, zone)),
        When(Q(is_time) & Q(Matches(said, f"^{DAY}{TIME}$")), then=OnClock(said, zone)),
        When(Q(is_time) & Q(Matches(said, f"^{DAY}{TIME}{OFFSET}$")), then=Cast(said, DateTimeField())),
        output_field=DateTimeField(),
    )


class Matches(Func):
    """Whether a text is as the regular expression says, capitals and all; NULL if there is none."""

    template = "(%(expressions)s)"
    arg_joiner = " ~ "
    output_field = models.BooleanField()

    def __init__(self, said: Combinable, pattern: str) -> None:
        super().__init__(said, Value(pattern))


class Concatenated(Func):
    template = "(%(expressions)s)"
    arg_joiner = " || "
    output_field = TextField()


class OnClock(Func):
    """The instant at which a clock of the zone shows the time that the text says."""

    template = "(%(expressions)s)"
    arg_joiner = "::timestamp AT TIME ZONE "
    output_field = DateTimeField()

    def __init__(self, said: Combinable, zone: str) -> None:
        super().__init__(said, Value(zone))


class HasTexts(Func):
    """Whether a JSON list has any of the texts (&&) or all of them (@>), whatever their capitals."""

    output_field = models.BooleanField()
    template = (
        "(ARRAY(SELECT lower(each #>> '{}') FROM jsonb_array_elements(%(found)s) AS each"
        " WHERE jsonb_typeof(each) = 'string') %(operator)s %(texts)s)"
    )

    def __init__(self, found: Combinable, texts: list[str], operator: str) -> None:
        super().__init__(found, *(Lower(Value(each)) for each in texts), operator=operator)

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        found, *texts = [compiler.compile(each) for each in self.source_expressions]
        array = f"ARRAY[{', '.join(sql for sql, _ in texts)}]"
        sql = self.template % {"found": found[0], "operator": self.extra["operator"], "texts": array}
        return sql, [each for _, parameters in (found, *texts) for each in parameters]


class IsEmptyList(Func):
    """Whether a JSON list has nothing in it."""

    template = "(jsonb_array_length(%(expressions)s) = 0)"
    output_field = models.BooleanField()


def names() -> list[str]:
    """The names of the attributes that customers have, as far as a look at the newest ones shows."""
    newest = Customer.objects.order_by("-pk")[:LOOKED_AT].values("attributes")
    keys = Customer.objects.filter(pk__in=newest.values("pk")).annotate(
        key=Func(F("attributes"), function="jsonb_object_keys", output_field=TextField())
    )
    return sorted(set(keys.values_list("key", flat=True)))
