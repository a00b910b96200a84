import re
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import DataError, OperationalError, connection, models, transaction
from django.db.models import Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Left, Lower
from django.db.models.lookups import Contains, EndsWith, Exact, In, IRegex, StartsWith

from loyaltyflow.words import listed, strong

LONGEST_PATTERN = 200
READ = 1_000  # characters of a text that a pattern is held against
PATIENCE = 500  # milliseconds for trying a pattern
# Only with these does PostgreSQL try one way after another, which can take for ever.
SECOND_LOOK = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")


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
    TextOperator.IS: Exact,
    TextOperator.CONTAINS: Contains,
    TextOperator.STARTS_WITH: StartsWith,
    TextOperator.ENDS_WITH: EndsWith,
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
        max_length=4_000,
        blank=True,
        validators=[ProhibitNullCharactersValidator()],
        help_text="Capitals do not matter. For “is one of”, write commas between the values: MA, NH, VT.",
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
            must_be_a_pattern(self.value.strip())

    def compares(self, text: Combinable, is_null: bool = True) -> Q:
        """Whether the text, an expression over customers, is as asked; `is_null` unless it can never be NULL.

        Both sides are turned into small letters by PostgreSQL, as its unique index of e-mail addresses has them.
        """
        operators = TextOperator
        text = Coalesce(text, Value(""), output_field=models.TextField()) if is_null else text
        known, value = ~Q(Exact(text, Value(""))), self.value.strip()
        match self.operator:
            case operators.IS_SET:
                return known
            case operators.IS_NOT_SET:
                return ~known
            case operators.IN_LIST:
                return known & self._in_list(text)
            case operators.NOT_IN_LIST:
                return known & ~self._in_list(text)
            case operators.MATCHES:
                return known & Q(IRegex(Left(text, READ), value))
        asked = OPPOSITES.get(operators(self.operator))
        if asked:
            return known & ~Q(LOOKUPS[asked](Lower(text), Lower(Value(value))))
        return known & Q(LOOKUPS[self.operator](Lower(text), Lower(Value(value))))

    def said(self, label: str) -> str:
        """The comparison as a phrase about what is called `label`: “have a state that starts with M”."""
        value, operators = strong(self.shown(self.value.strip())), TextOperator
        several = listed(self.shown(each) for each in self.listed())
        quoted, one = f"“{value}”", f"{article(label)} {label}"
        phrases: dict[str, str] = {
            operators.IS: f"have the {label} {value}",
            operators.IS_NOT: f"have {one} other than {value}",
            operators.CONTAINS: f"have {one} that contains {quoted}",
            operators.DOES_NOT_CONTAIN: f"have {one} without {quoted} in it",
            operators.STARTS_WITH: f"have {one} that starts with {quoted}",
            operators.DOES_NOT_START_WITH: f"have {one} that does not start with {quoted}",
            operators.ENDS_WITH: f"have {one} that ends with {quoted}",
            operators.IN_LIST: f"have the {label} {several}",
            operators.NOT_IN_LIST: f"have {one} other than {several}",
            operators.MATCHES: f"have {one} that matches the pattern {quoted}",
            operators.IS_SET: f"have {one} that {strong('is known')}",
            operators.IS_NOT_SET: f"have {strong(f'no known {label}')}",
        }
        return phrases[self.operator].strip()

    def shown(self, value: str) -> str:
        """The value as phrases say it, such as the name for a code."""
        return value

    def listed(self) -> list[str]:
        """The values of a list, or the one value; empty if there is none."""
        if self.operator not in (TextOperator.IN_LIST, TextOperator.NOT_IN_LIST):
            return [self.value.strip()] if self.value.strip() else []
        return [each.strip() for each in self.value.split(",") if each.strip()]

    def _in_list(self, text: Combinable) -> Q:
        return Q(In(Lower(text), [Lower(Value(each)) for each in self.listed()]))


def article(noun: str) -> str:
    """“an” before a vowel, else “a”."""
    return "an" if noun[:1].lower() in {*"aeio"} else "a"


def must_be_a_pattern(pattern: str) -> None:
    """Raise ValidationError for what PostgreSQL cannot read as a regular expression, or not quickly."""
    if len(pattern) > LONGEST_PATTERN:
        reason = f"it has {len(pattern)} characters; at most {LONGEST_PATTERN} fit. Write a shorter one."
    elif SECOND_LOOK.search(pattern):
        reason = "\\1 to \\9, which ask for the same text once more, cannot be used. Write it without them."
    else:
        reason = _tried(pattern)
    if reason:
        raise ValidationError({"value": f"“{pattern[:60]}” is not a pattern: {reason}"})


def _tried(pattern: str) -> str:
    """What PostgreSQL says against the pattern; empty if nothing."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {PATIENCE}")
            cursor.execute("SELECT repeat('a', %s) ~* %s", [READ, pattern])
            transaction.set_rollback(True)  # takes the timeout back with it
    except DataError as error:
        reason = str(error).splitlines()[0].partition(": ")[2] or str(error)
        return f"{reason}. Write a regular expression, such as ^02[0-9]+$."
    except OperationalError:
        return "it takes too long to compare with. Write a simpler one."
    return ""
