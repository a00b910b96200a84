from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator, ProhibitNullCharactersValidator
from django.db import models
from django.db.models import F, Func, IntegerField, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.lookups import LessThan

from loyaltyflow.store.models import Customer
from loyaltyflow.words import strong

from ..comparisons.number import plain
from .base import Condition


class RandomShare(Condition):
    """A share of all customers, drawn at random once and for good: who is drawn stays drawn.

    Draws of the same name draw the same customers, and a larger share keeps those of a smaller one. A customer's place
    in a draw is the first eight digits of md5(name:id), read as a hexadecimal number, modulo 10,000; a share of 12.5%
    draws the places below 1,250.
    """

    icon = "casino"
    shelf = "About them"
    words = "test a/b split control group sample"
    units: ClassVar[dict[str, str]] = {"share": "% of all"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"share": 50},
        {"share": 12.5, "seed": "spring test"},
        {"share": 75, "seed": "autumn"},
    ]

    share = models.DecimalField(
        max_digits=4,
        decimal_places=1,
        default=Decimal(10),
        validators=[MinValueValidator(Decimal("0.1")), MaxValueValidator(Decimal(100))],
        help_text="0.1 to 100.",
    )
    seed = models.CharField(
        "name of the draw",
        max_length=60,
        blank=True,
        validators=[ProhibitNullCharactersValidator()],
        help_text="Another name draws other customers. Empty: one draw for all conditions without a name.",
    )

    class Meta:
        verbose_name = "random share"

    def q(self, now: datetime) -> Q:
        return Q(LessThan(Place(self.seed), int(self.share * 100)))

    def flips(self, now: datetime) -> Combinable | None:
        """Never: the draw is made once and for good."""
        return None

    def phrase(self) -> str:
        draw = f"the draw “{strong(self.seed)}”" if self.seed else "the common draw"
        return f"are among the {strong(f'{plain(self.share)}%')} of {draw}"

    def seen(self, customer: Customer, now: datetime) -> str:
        place = Customer.objects.annotate(place=Place(self.seed)).values_list("place", flat=True).get(pk=customer.pk)
        return f"place {place:,} of 10,000; those below {int(self.share * 100):,} are drawn"


class Place(Func):
    """A customer's place in a draw, from 0 to 9,999."""

    output_field = IntegerField()
    template = "mod(('x' || substr(md5(%(expressions)s), 1, 8))::bit(32)::bigint, 10000)::integer"
    arg_joiner = " || ':' || "

    def __init__(self, seed: str) -> None:
        super().__init__(Value(seed), F("pk"))
