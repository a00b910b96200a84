from decimal import Decimal
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, IsNull, LessThan, LessThanOrEqual

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


class ComparesNumber(models.Model):
    """Compares a number; both ends of “between” count. One that is not known is neither 5 nor anything but 5."""

    operator = models.CharField(max_length=12, choices=NumberOperator.choices, default=NumberOperator.AT_LEAST)
    number = models.DecimalField(max_digits=14, decimal_places=3, null=True, blank=True)
    upper = models.DecimalField("and", max_digits=14, decimal_places=3, null=True, blank=True)

    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {
        "number": ("operator", WITH_NUMBER),
        "upper": ("operator", {NumberOperator.BETWEEN}),
    }

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse a question without the number that it asks for."""
        super().clean()
        if self.operator in WITH_NUMBER and self.number is None:
            label = NumberOperator(self.operator).label
            raise ValidationError({"number": f"“{label}” needs a number to compare with. None was given."})
        if self.operator == NumberOperator.BETWEEN:
            if self.upper is None:
                raise ValidationError({"upper": "“between” needs a second number. None was given."})
            if self.number is not None and self.upper < self.number:
                reason = f"{_plain(self.upper)} is less than {_plain(self.number)}: write the smaller number first."
                raise ValidationError({"upper": reason})

    def compares(self, number: Combinable) -> Q:
        """Whether the number, an expression over customers that may be NULL, is as asked."""
        operators = NumberOperator
        match self.operator:
            case operators.IS_SET:
                return Q(IsNull(number, False))
            case operators.IS_NOT_SET:
                return Q(IsNull(number, True))
            case operators.BETWEEN:
                return _surely(GreaterThanOrEqual(number, self._value(self.number))) & _surely(
                    LessThanOrEqual(number, self._value(self.upper))
                )
            case operators.IS_NOT:
                return Q(IsNull(number, False)) & ~_surely(Exact(number, self._value(self.number)))
        return _surely(LOOKUPS[self.operator](number, self._value(self.number)))

    def said(self, write: Any = None) -> str:
        """The comparison as a part of a phrase: “at least 5”; `write` turns a number into words."""
        write = write or _plain
        match self.operator:
            case NumberOperator.BETWEEN:
                return f"{strong(f'{write(self.number)} to {write(self.upper)}')}"
            case NumberOperator.IS_SET | NumberOperator.IS_NOT_SET:
                return ""
        return strong(f"{NumberOperator(self.operator).label} {write(self.number)}")

    @staticmethod
    def _value(number: Decimal | None) -> Value:
        return Value(number, output_field=models.DecimalField(max_digits=20, decimal_places=6))


def _plain(number: Decimal | None) -> str:
    return "–" if number is None else f"{number.normalize():,f}"


def _surely(comparison: Any) -> Q:
    """The comparison, with “no” where it cannot be told because the number is not known."""
    return Q(Coalesce(comparison, Value(False), output_field=models.BooleanField()))
