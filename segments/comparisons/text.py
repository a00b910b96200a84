from functools import reduce
from operator import or_
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import DataError, connection, models, transaction
from django.db.models import Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, IContains, IEndsWith, IExact, IRegex, IStartsWith

from loyaltyflow.words import listed, strong


class TextOperator(models.TextChoices):
    IS = "is", "is"
    IS_NOT = "is_not", "is not"
    CONTAINS = "contains", "contains"
    DOES_NOT_CONTAIN = "does_not_contain", "does not contain"
    STARTS_WITH = "starts_with", "starts with"
    DOES_NOT_START_WITH = "does_not_start_with", "does not start with"
    ENDS_WITH = "ends_with", "ends with"
    IN_LIST = "in_list", "is one of"
    NOT_IN_LIST = "not_in_list", "is none of"
    MATCHES = "matches", "matches the pattern"
    IS_SET = "is_set", "is known"
    IS_NOT_SET = "is_not_set", "is not known"


WITHOUT_VALUE = {TextOperator.IS_SET, TextOperator.IS_NOT_SET}
WITH_VALUE = {*TextOperator.values} - {str(each) for each in WITHOUT_VALUE}
LOOKUPS: dict[str, Any] = {
    TextOperator.IS: IExact,
    TextOperator.CONTAINS: IContains,
    TextOperator.STARTS_WITH: IStartsWith,
    TextOperator.ENDS_WITH: IEndsWith,
    TextOperator.MATCHES: IRegex,
}
OPPOSITES = {
    TextOperator.IS_NOT: TextOperator.IS,
    TextOperator.DOES_NOT_CONTAIN: TextOperator.CONTAINS,
    TextOperator.DOES_NOT_START_WITH: TextOperator.STARTS_WITH,
}


class ComparesText(models.Model):
    """Compares a text, whatever its capitals. One that is not known is neither “MA” nor something other than “MA”."""

    operator = models.CharField(max_length=20, choices=TextOperator.choices, default=TextOperator.IS)
    value = models.CharField(
        max_length=500, blank=True, help_text="Such as MA. For “is one of”, values with commas between: MA, NH, VT."
    )

    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {"value": ("operator", WITH_VALUE)}

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse a question without the value that it asks for, and a pattern that PostgreSQL cannot read."""
        super().clean()
        if self.operator in WITH_VALUE and not self.listed():
            label = TextOperator(self.operator).label
            raise ValidationError({"value": f"“{label}” needs a value to compare with, such as MA. None was given."})
        if self.operator == TextOperator.MATCHES:
            _must_be_a_pattern(self.value.strip())

    def compares(self, text: Combinable) -> Q:
        """Whether the text, an expression over customers that may be NULL, is as asked."""
        text, operators = Coalesce(text, Value(""), output_field=models.TextField()), TextOperator
        known, value = ~Q(Exact(text, "")), self.value.strip()
        match self.operator:
            case operators.IS_SET:
                return known
            case operators.IS_NOT_SET:
                return ~known
            case operators.IN_LIST:
                return reduce(or_, (Q(IExact(text, each)) for each in self.listed()))
            case operators.NOT_IN_LIST:
                return known & ~reduce(or_, (Q(IExact(text, each)) for each in self.listed()))
        asked = OPPOSITES.get(operators(self.operator))
        if asked:
            return known & ~Q(LOOKUPS[asked](text, value))
        return known & Q(LOOKUPS[self.operator](text, value))

    def said(self, label: str) -> str:
        """The comparison as a phrase about what is called `label`: “have a state that starts with M”."""
        value, operators = strong(self.value.strip()), TextOperator
        quoted = f"“{value}”"
        phrases: dict[str, str] = {
            operators.IS: f"have the {label} {value}",
            operators.IS_NOT: f"have another {label} than {value}",
            operators.CONTAINS: f"have a {label} that contains {quoted}",
            operators.DOES_NOT_CONTAIN: f"have a {label} without {quoted} in it",
            operators.STARTS_WITH: f"have a {label} that starts with {quoted}",
            operators.DOES_NOT_START_WITH: f"have a {label} that does not start with {quoted}",
            operators.ENDS_WITH: f"have a {label} that ends with {quoted}",
            operators.IN_LIST: f"have the {label} {listed(self.listed()) if self.listed() else ''}",
            operators.NOT_IN_LIST: f"have another {label} than {listed(self.listed()) if self.listed() else ''}",
            operators.MATCHES: f"have a {label} that matches {quoted}",
            operators.IS_SET: f"have a {strong('known')} {label}",
            operators.IS_NOT_SET: f"have {strong('no known')} {label}",
        }
        return phrases[self.operator].strip()

    def listed(self) -> list[str]:
        """The values of a list, or the one value; empty if there is none."""
        if self.operator not in (TextOperator.IN_LIST, TextOperator.NOT_IN_LIST):
            return [self.value.strip()] if self.value.strip() else []
        return [each.strip() for each in self.value.split(",") if each.strip()]


def _must_be_a_pattern(pattern: str) -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT '' ~* %s", [pattern])
    except DataError as error:
        reason = str(error).splitlines()[0].partition(": ")[2] or str(error)
        raise ValidationError(
            {"value": f"“{pattern}” is not a pattern: {reason}. Write a regular expression, such as ^02[0-9]+$."}
        ) from error
