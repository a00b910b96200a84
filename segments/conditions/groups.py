from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from django.db.models.expressions import Combinable
from django.db.models.functions import Least

from loyaltyflow.store.models import Customer

from .base import Condition, Explanation


class Group(Condition):
    """Several conditions that are asked together."""

    shelf = "Groups"
    takes_parts = True
    narrows: ClassVar[bool] = True  # each of its conditions leaves as many customers or fewer

    class Meta:
        abstract = True

    def flips(self, now: datetime) -> Combinable | None:
        """The earliest of its parts' instants."""
        return earliest(part.flips(now) for part in self.parts())

    def segments(self) -> Iterable[int]:
        return [segment for part in self.parts() for segment in part.segments()]

    def seen(self, customer: Customer, now: datetime) -> str:
        """Nothing of its own: what was seen stands at its parts."""
        return ""

    def holds(self, answers: list[bool]) -> bool:
        """The group's answer, given those of its parts."""
        raise NotImplementedError(f"{type(self).__name__} must define holds(answers).")

    def explain(self, customer: Customer, now: datetime) -> Explanation:
        parts = [part.explain(customer, now) for part in self.parts()]
        return Explanation(self.sentence(), self.holds([part.holds for part in parts]), parts=parts)

    def joined(self, word: str) -> str:
        """The phrases of its parts with a word between them; groups among others stand in brackets."""
        parts = self.parts()
        brackets = len(parts) > 1
        return f" {word} ".join(
            f"({part.phrase()})" if part.takes_parts and brackets else part.phrase() for part in parts
        )


def earliest(instants: Iterable[Combinable | None]) -> Combinable | None:
    """An expression for the first of the instants, those that are None or NULL left out; None if there is none."""
    known = [instant for instant in instants if instant is not None]
    if len(known) < 2:
        return known[0] if known else None
    return Least(*known)


def by_itself(condition: Condition) -> bool | None:
    """The answer that the tree gives whoever is asked, because of groups without conditions; None if it depends."""
    if not condition.takes_parts:
        return None
    answers = [by_itself(part) for part in condition.parts()]
    at_worst = condition.holds([bool(answer) for answer in answers])
    at_best = condition.holds([answer is not False for answer in answers])
    return at_worst if at_worst == at_best else None
