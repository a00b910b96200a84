from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from polymorphic.models import PolymorphicModel

from loyaltyflow.store.models import Customer


@dataclass(frozen=True)
class Explanation:
    """Why a customer meets a condition or not: its sentence, the answer, the values that were seen."""

    summary: str
    holds: bool
    seen: str = ""
    parts: list["Explanation"] = field(default_factory=list)


class Condition(PolymorphicModel):
    """A question about a customer that has the answer yes or no at any moment.

    Each type is one class in one file. `now` is an aware datetime on the store's clock: days are counted in its zone.
    """

    icon: ClassVar[str] = "rule"
    takes_parts: ClassVar[bool] = False

    tree = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, editable=False, related_name="+", help_text="The top of its tree."
    )
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.summary()

    def save(self, *args: object, **kwargs: object) -> None:
        """Keep `tree` pointing at the top, so that a whole tree is read at once."""
        self.tree_id = None if self.parent is None else (self.parent.tree_id or self.parent.pk)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def q(self, now: datetime) -> Q:
        """Which customers meet it, judged by facts up to `now` only."""
        raise NotImplementedError(f"{type(self).__name__} must define q(now).")

    def flips(self, now: datetime) -> models.expressions.Combinable | None:
        """An expression over customers: the first instant after `now` at which the answer may change with no new event.

        None, or SQL's NULL, where only an event can change it. Too early is allowed, too late is a bug.
        """
        raise NotImplementedError(f"{type(self).__name__} must define flips(now).")

    def summary(self) -> str:
        """The condition as a phrase that completes “customers who …”."""
        raise NotImplementedError(f"{type(self).__name__} must define summary().")

    def seen(self, customer: Customer, now: datetime) -> str:
        """The values of this customer that the answer rests on, in words."""
        raise NotImplementedError(f"{type(self).__name__} must define seen(customer, now).")

    def segments(self) -> Iterable[int]:
        """The ids of the segments whose members it asks for."""
        return ()

    def explain(self, customer: Customer, now: datetime) -> Explanation:
        """Why the customer meets it at `now`, or does not."""
        holds = Customer.objects.filter(self.q(now), pk=customer.pk).exists()
        return Explanation(self.summary(), holds, self.seen(customer, now))

    def parts(self) -> list["Condition"]:
        """What a group is made of, in order; empty for a single question. Reads a whole tree in one go."""
        if "_parts" not in self.__dict__:
            _plant(self)
        parts: list[Condition] = self.__dict__["_parts"]
        return parts


def _plant(top: Condition) -> None:
    """Give every condition below `top` its parts, with one query and one more for each type among them."""
    rows = list(Condition.objects.filter(tree_id=top.tree_id or top.pk).order_by("position", "pk"))
    for row in [top, *rows]:
        row.__dict__["_parts"] = [part for part in rows if part.parent_id == row.pk]
