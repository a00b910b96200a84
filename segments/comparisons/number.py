from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, IsNull, LessThan, LessThanOrEqual, Range

from loyaltyflow.store.templatetags import figures
from loyaltyflow.words import strong


class NumberOperator(models.TextChoices):
    AT_LEAST = "at_least", "at least"
    AT_MOST = "at_most", "at most"
    MORE_THAN = "more_than", "more than"
    LESS_THAN = "less_than", "less than"
    IS = "is", "exactly"
    IS_NOT = "is_not", "anything but"
    BETWEEN = "between", "between"
    IS_SET = "is_set", "is known"
    IS_NOT_SET = "is_not_set", "is not known"


WITH_NUMBER = {*NumberOperator.values} - {"is_set", "is_not_set"}
LOOKUPS: dict[str, Any] = {
    NumberOperator.AT_LEAST: GreaterThanOrEqual,
    NumberOperator.AT_MOST: LessThanOrEqual,
    NumberOperator.MORE_THAN: GreaterThan,
    NumberOperator.LESS_THAN: LessThan,
    NumberOperator.IS: Exact,
}
Write = Callable[[Decimal | None], str]


class ComparesNumber(models.Model):
    """Compares a number; both ends of “between” count. One that is not known is neither 5 nor anything but 5."""

    operator = models.CharField(max_length=12, choices=NumberOperator.choices, default=NumberOperator.AT_LEAST)
    value = models.DecimalField("number", max_digits=14, decimal_places=3, null=True, blank=True)
    upper = models.DecimalField("and", max_digits=14, decimal_places=3, null=True, blank=True)

    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {
        "value": ("operator", WITH_NUMBER),
        "upper": ("operator", {NumberOperator.BETWEEN}),
    }

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse a question without the number that it asks for."""
        super().clean()
        if not self.compares_at_all() or self.operator not in WITH_NUMBER:
            return
        if self.value is None:
            label = NumberOperator(self.operator).label
            raise ValidationError({"value": f"“{label}” needs a number to compare with. None was given."})
        if self.operator == NumberOperator.BETWEEN:
            if self.upper is None:
                raise ValidationError({"upper": "“between” needs a second number. None was given."})
            if self.upper < self.value:
                reason = f"{plain(self.upper)} is less than {plain(self.value)}: write the smaller number first."
                raise ValidationError({"upper": reason})

    def compares_at_all(self) -> bool:
        """Whether a number is asked for; a type may have more to ask and say no."""
        return True

    def compares(self, number: Combinable) -> Q:
        """Whether the number, an expression over customers that may be NULL, is as asked; it is computed once."""
        match self.operator:
            case NumberOperator.IS_SET:
                return Q(IsNull(number, False))
            case NumberOperator.IS_NOT_SET:
                return Q(IsNull(number, True))
            case NumberOperator.BETWEEN:
                return _surely(Range(number, (_value(self.value), _value(self.upper))))
            case NumberOperator.IS_NOT:
                return _surely(~Exact(number, _value(self.value)))
        return _surely(LOOKUPS[self.operator](number, _value(self.value)))

    def met_by(self, number: Decimal) -> bool:
        """Whether this very number is as asked."""
        asked, upper = self.value or Decimal(0), self.upper or Decimal(0)
        return {
            NumberOperator.AT_LEAST: number >= asked,
            NumberOperator.AT_MOST: number <= asked,
            NumberOperator.MORE_THAN: number > asked,
            NumberOperator.LESS_THAN: number < asked,
            NumberOperator.IS: number == asked,
            NumberOperator.IS_NOT: number != asked,
            NumberOperator.BETWEEN: asked <= number <= upper,
            NumberOperator.IS_SET: True,
            NumberOperator.IS_NOT_SET: False,
        }[NumberOperator(self.operator)]

    def said(self, write: Write | None = None) -> str:
        """The comparison as a part of a phrase: “at least 5”; `write` turns a number into words, such as money."""
        write, label = write or plain, NumberOperator(self.operator).label
        match self.operator:
            case NumberOperator.BETWEEN:
                return strong(f"between {write(self.value)} and {write(self.upper)}")
            case NumberOperator.IS_SET | NumberOperator.IS_NOT_SET:
                return strong("known" if self.operator == NumberOperator.IS_SET else "not known")
        return strong(f"{label} {write(self.value)}")

    def said_of(self, one: str, many: str = "") -> str:
        """The comparison with what is counted: “at least 1 unit”, “between 2 and 5 units”."""
        last = self.upper if self.operator == NumberOperator.BETWEEN else self.value
        return f"{self.said()} {one if last == 1 else many or one + 's'}"


class ComparesKnownNumber(ComparesNumber):
    """Compares a number that needs no word for being unknown, such as a count; where it is unknown, nothing holds."""

    operator = models.CharField(
        max_length=12,
        choices=[(value, label) for value, label in NumberOperator.choices if value in WITH_NUMBER],
        default=NumberOperator.AT_LEAST,
    )

    class Meta:
        abstract = True


def plain(number: Decimal | None) -> str:
    """The number as the store writes it, without zeros that say nothing: 2.500 is 2.5."""
    return figures.count(None if number is None else number.normalize())


def _value(number: Decimal | None) -> Value:
    """The number as PostgreSQL is given it: the same text whether it comes from a form or from the database."""
    return Value(
        None if number is None else number.normalize(),
        output_field=models.DecimalField(max_digits=20, decimal_places=6),
    )


def _surely(comparison: Any) -> Q:
    """The comparison, with “no” where it cannot be told because the number is not known."""
    return Q(Coalesce(comparison, Value(False), output_field=models.BooleanField()))
