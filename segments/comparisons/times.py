from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Case, Exists, F, Q, QuerySet, Subquery, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Least
from django.db.models.lookups import GreaterThan

from loyaltyflow.words import number, strong

from .window import InWindow

MOST = 10_000  # times; nobody has done anything that often


class HowOften(models.TextChoices):
    AT_LEAST = "at_least", "at least"
    AT_MOST = "at_most", "at most"
    EXACTLY = "exactly", "exactly"
    NONE = "none", "not once"


COUNTED = {str(each) for each in list(HowOften)[:3]}


class CountsTimes(InWindow):
    """Counts how often something happened in a time."""

    operator = models.CharField("how often", max_length=10, choices=HowOften.choices, default=HowOften.AT_LEAST)
    count = models.PositiveIntegerField(default=1, validators=[MaxValueValidator(MOST)])

    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {"count": ("operator", COUNTED)}
    units: ClassVar[dict[str, str]] = {"count": "times", **InWindow.units}

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse what is true of everybody."""
        super().clean()
        if self.operator == HowOften.AT_LEAST and not self.count:
            raise ValidationError(
                {"count": "“At least 0” is true of everybody. Write 1 or more, or choose “not once”."}
            )

    def counted(self, rows: QuerySet[Any], column: str, now: datetime) -> Q:
        """Whether there are as many as asked of the rows, each customer's own, that happened in the time."""
        inside = rows.filter(self.inside(column, now))

        def reaches(count: int) -> Q:  # the index finds the last ones of each customer
            return Q(Exists(inside if count == 1 else inside.order_by(f"-{column}")[count - 1 : count]))

        return as_often(self.operator, self.count, reaches)

    def uncounted(self, rows: QuerySet[Any], column: str, now: datetime) -> Combinable | None:
        """When the one that decides falls out of the time; time alone never adds one."""
        if self.window_days is None:
            return None
        inside = rows.filter(self.inside(column, now)).order_by(f"-{column}").values(column)

        def falls_out(count: int) -> Any:
            return self.falls_out(Subquery(inside[count - 1 : count]), now)

        return no_longer_as_often(self.operator, self.count, falls_out)

    def times(self) -> str:
        """How often, as a part of a phrase: “at least 2 times”."""
        if self.operator == HowOften.NONE:
            return strong("not once")
        return f"{HowOften(self.operator).label} {strong(number(self.count, 'time'))}"


def as_often(operator: str, count: int, reaches: Callable[[int], Q]) -> Q:
    """Whether it is as often as asked; `reaches` says whether it is so often or more."""
    match operator:
        case HowOften.AT_LEAST:
            return reaches(count)
        case HowOften.EXACTLY if count:
            return reaches(count) & ~reaches(count + 1)
    return ~reaches(_most(operator, count) + 1)


def no_longer_as_often(operator: str, count: int, falls_out: Callable[[int], Combinable | None]) -> Combinable | None:
    """When `as_often` may change by time alone; `falls_out` says when it no longer is so often, NULL for never."""
    match operator:
        case HowOften.AT_LEAST:
            return falls_out(count)
        case HowOften.EXACTLY if count:
            instants = [each for each in (falls_out(count), falls_out(count + 1)) if each is not None]
            return Least(*instants) if instants else None
    return falls_out(_most(operator, count) + 1)


def _most(operator: str, count: int) -> int:
    """The highest number that is still met, for “at most”, “not once” and “exactly 0”."""
    return 0 if operator == HowOften.NONE else count


def if_ahead(instant: Any, now: datetime) -> Case:
    """The instant if it is after `now`, else NULL."""
    return Case(When(Q(GreaterThan(instant, now)), then=instant), output_field=models.DateTimeField())


def tally(rows: QuerySet[Any], column: str, now: datetime) -> str:
    """How many rows there are and when the last was, in words."""
    facts = rows.aggregate(count=models.Count("pk"), last=models.Max(F(column)))
    if not facts["count"]:
        return "not once"
    return f"{number(facts['count'], 'time')}, the last on {facts['last'].astimezone(now.tzinfo):%Y-%m-%d}"
