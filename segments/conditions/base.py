import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.safestring import SafeString
from polymorphic.models import PolymorphicModel

from loyaltyflow import words
from loyaltyflow.store.models import Customer

_everybody: ContextVar[bool] = ContextVar("everybody", default=False)


@dataclass(frozen=True)
class Explanation:
    """Why a customer meets a condition or not: its sentence, the answer, the values that were seen."""

    sentence: SafeString
    holds: bool
    seen: str = ""
    parts: list["Explanation"] = field(default_factory=list)


class Condition(PolymorphicModel):
    """A question about a customer that has the answer yes or no at any moment.

    Each type is one class in one file. `now` is an aware datetime on the store's clock: days are counted in its zone.
    """

    icon: ClassVar[str] = "rule"
    shelf: ClassVar[str] = ""  # under which heading staff find it
    words: ClassVar[str] = ""  # by which staff look for it, besides those of its form
    takes_parts: ClassVar[bool] = False
    asked_of_segments: ClassVar[bool] = True  # False: it makes sense in a workflow only
    # One for each thing that can be asked, every operator among them: its fields as the YAML says them.
    examples: ClassVar[list[dict[str, Any]]] = []
    # Field → another field and those of its values with which the field is asked for; else it is left at its default.
    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {}
    units: ClassVar[dict[str, str]] = {}  # field → what its number counts, as it stands after it
    # Field → what stands over a line of its own in the form, if that is not its name; field=value → how a choice reads.
    labels: ClassVar[dict[str, str]] = {}
    # Field → the values of it that the shop knows, to choose from; others may be typed and are only warned of.
    suggestions: ClassVar[dict[str, Callable[[], list[str]]]] = {}
    # Asked before a tree changes, by the id of its top; each raises ValidationError if what it belongs to is fixed.
    guards: ClassVar[list[Callable[[int], None]]] = []

    tree = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, editable=False, related_name="+", help_text="The top of its tree."
    )
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)
    changed_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When staff last saved it.")
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    copy_of = models.BigIntegerField(
        null=True, editable=False, help_text="The number of the row for which it stands in a segment's draft."
    )

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return str(self.get_real_instance().summary())

    @property
    def number(self) -> int:
        """What pages call the row: the same in a segment's draft as in its saved tree, however often it is saved."""
        return self.copy_of or self.pk or 0

    @classmethod
    def type_name(cls) -> str:
        """What YAML calls the type: made_purchase."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def clean(self) -> None:
        """Refuse changes to a tree whose owner is fixed, before they are tried; forget what is not asked for."""
        super().clean()
        self.must_be_free()
        for name in self.asked_with:
            if not self.asks(name):
                setattr(self, name, self._meta.get_field(name).get_default())

    def asks(self, name: str) -> bool:
        """Whether the field matters, given the values of the others."""
        if name not in self.asked_with:
            return True
        other, values = self.asked_with[name]
        return self.asks(other) and getattr(self, other) in values

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep `tree` pointing at the top, so that a whole tree is read at once; refuse changes to a fixed one."""
        self.must_be_free()
        self.tree_id = None if self.parent is None else (self.parent.tree_id or self.parent.pk)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse to take a condition out of a fixed tree."""
        self.must_be_free()
        return super().delete(*args, **kwargs)

    def must_be_free(self) -> None:
        """Raise ValidationError if its tree, or the one that it moves to, may no longer change."""
        to = self.parent and (self.parent.tree_id or self.parent.pk)
        for top in {self.tree_id or self.pk, to} - {None}:
            for guard in Condition.guards:
                guard(top)

    def warnings(self) -> list[str]:
        """What staff had better look at although it is no fault, a sentence each, such as a word that nothing has."""
        return []

    def q(self, now: datetime) -> Q:
        """Which customers meet it, judged by facts up to `now` only."""
        raise NotImplementedError(f"{type(self).__name__} must define q(now).")

    def q_of_everybody(self, now: datetime) -> Q:
        """The same as `q`, said so that it is quickest when all customers are judged at once, not some by their ids."""
        before = _everybody.set(True)
        try:
            return self.q(now)
        finally:
            _everybody.reset(before)

    @staticmethod
    def is_asked_of_everybody() -> bool:
        """Whether all customers are judged: then `q` and `flips` may go through all facts once, not each customer's."""
        return _everybody.get()

    def flips(self, now: datetime) -> models.expressions.Combinable | None:
        """An expression over customers: the first instant after `now` at which the answer may change with no new event.

        None, or SQL's NULL, where only an event can change it. Too early is allowed, too late is a bug.
        """
        raise NotImplementedError(f"{type(self).__name__} must define flips(now).")

    def flips_of_everybody(self, now: datetime) -> models.expressions.Combinable | None:
        """The same as `flips`, said so that it is quickest when it is asked of all customers at once."""
        before = _everybody.set(True)
        try:
            return self.flips(now)
        finally:
            _everybody.reset(before)

    def rests_on(self) -> list[str]:
        """What the answer rests on besides the customer and the time, such as a setting of the store.

        When it changes, everybody is judged again.
        """
        return []

    def phrase(self) -> str:
        """The condition as a phrase that completes “customers who …”; `words.strong` marks what staff chose."""
        raise NotImplementedError(f"{type(self).__name__} must define phrase().")

    def summary(self) -> str:
        """The condition as a phrase that completes “customers who …”."""
        return words.plain(self.phrase())

    def sentence(self) -> SafeString:
        """The condition as it is said of one customer, as markup in which what staff chose stands out."""
        return words.drawn(words.of_one(self.phrase()))

    def seen(self, customer: Customer, now: datetime) -> str:
        """The values of this customer that the answer rests on, in words."""
        raise NotImplementedError(f"{type(self).__name__} must define seen(customer, now).")

    def segments(self) -> Iterable[int]:
        """The ids of the segments whose members it asks for."""
        return ()

    def explain(self, customer: Customer, now: datetime) -> Explanation:
        """Why the customer meets it at `now`, or does not."""
        holds = Customer.objects.filter(self.q(now), pk=customer.pk).exists()
        return Explanation(self.sentence(), holds, self.seen(customer, now))

    def parts(self) -> list["Condition"]:
        """What a group is made of, in order; empty for a single question. Reads a whole tree in one go."""
        if "_parts" not in self.__dict__:
            plant([self])
        parts: list[Condition] = self.__dict__["_parts"]
        return parts

    def walk(self) -> Iterator["Condition"]:
        """The condition and every one below it, from the top down."""
        yield self
        for part in self.parts():
            yield from part.walk()

    def copy(self, parent: "Condition | None" = None) -> "Condition":
        """The top of a new tree that says the same; saved, below `parent` if that is given."""
        made: Condition = type(self).objects.create(**self.values(), position=self.position, parent=parent)
        for part in self.parts():
            part.copy(made)
        return made

    def values(self) -> dict[str, Any]:
        """What this type of condition keeps in columns of its own, by column name."""
        own = [each for each in self._meta.concrete_fields if each.model is not Condition and not each.primary_key]
        return {each.attname: getattr(self, each.attname) for each in own}

    def wording(self) -> list[Any]:
        """The whole tree as plain values: equal if and only if two trees ask the same in the same order."""
        own = {name: _written(value) for name, value in self.values().items()}
        return [self._meta.label_lower, own, [part.wording() for part in self.parts()]]


def _written(value: Any) -> str:
    """The value as text; a number in one way only, whether it comes from a form or from the database: 2.5."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def plant(tops: Iterable[Condition]) -> None:
    """Give every condition of the trees its parts, with one query and one more for each type among them."""
    tops = list(tops)
    trees = {top.tree_id or top.pk for top in tops}
    below: dict[int | None, list[Condition]] = {}
    rows = list(Condition.objects.filter(tree__any=trees).order_by("position", "pk")) if trees else []
    for row in rows:
        below.setdefault(row.parent_id, []).append(row)
    for row in [*tops, *rows]:
        row.__dict__["_parts"] = below.get(row.pk, [])


def prefetch_references(conditions: Iterable[Condition]) -> None:
    """Read what the conditions name, such as products, with one query for each such field of each type."""
    by_type: dict[type[Condition], list[Condition]] = {}
    for each in conditions:
        by_type.setdefault(type(each), []).append(each)
    for kind, rows in by_type.items():
        own = [each for each in kind._meta.concrete_fields if each.model is not Condition and not each.primary_key]
        models.prefetch_related_objects(rows, *(each.name for each in own if each.is_relation))
