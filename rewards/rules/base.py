from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from polymorphic.models import PolymorphicModel

from loyaltyflow.store.models import Product


class EarningRule(PolymorphicModel):
    """For what members earn points, and how many.

    Each kind is one class in one file: its docstring is the help text that staff read, its fields are its form,
    `summary()` is its sentence. A kind that looks at purchases says in `rates` what a line of a bill earns by it, and
    in `words` how that is explained; the one statement that works out points joins the kinds by them.
    """

    icon: ClassVar[str] = "stars"
    # Expressions of SQL over the kind's own table: points for each unit of currency, for each unit of goods, for the
    # order, the points that are said, for how much each of them is, and the least that must be spent.
    rates: ClassVar[tuple[str, str, str, str, str, str] | None] = None
    # {points} is “2 points”, {each} the second number as money; {net} what was spent, {units} how many were bought.
    words: ClassVar[str] = ""

    name = models.CharField(max_length=100, unique=True, help_text="Only staff see it.")
    starts_at = models.DateTimeField("from", default=timezone.now, help_text="What happens from then on earns.")
    ends_at = models.DateTimeField("until", null=True, blank=True, help_text="Empty: until it is switched off.")
    products = models.ManyToManyField(
        Product, blank=True, related_name="+", help_text="Only these. With no product and no category: all goods."
    )
    categories = ArrayField(
        models.CharField(max_length=120),
        default=list,
        blank=True,
        help_text="Only products of these categories, with commas between them, such as Tea, Coffee.",
    )
    is_active = models.BooleanField("active", default=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="an_earning_rule_ends_after_it_starts",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def kinds(cls) -> list[type["EarningRule"]]:
        """Every kind of rule, in the order in which they are offered."""
        return sorted(cls.__subclasses__(), key=lambda kind: kind.__name__)

    def summary(self) -> str:
        """What it gives and for what, as a sentence."""
        raise NotImplementedError(f"{type(self).__name__} must define summary().")

    def goods(self) -> str:
        """The goods that it is about, as the end of a sentence; empty for all of them."""
        names = [*self.categories, *(each.name for each in (self.products.all() if self.pk else []))]
        shown = [*names[:3], f"{len(names) - 3} more"] if len(names) > 4 else names
        return " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
