"""What a press at the till is, and what comes of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from loyaltyflow.store.models import Customer, Product
from rewards.bill import Refusal

from .sale import Place, Sale


@dataclass(frozen=True, slots=True)
class Said:
    """What the page says of a press: what, then why, then what is left; `where` it was caused."""

    where: str
    what: str
    why: str = ""
    is_good: bool = False


@dataclass(frozen=True, slots=True)
class After:
    """The sale after a press, what is said of it, and what there is to choose from."""

    sale: Sale
    said: Said | None = None
    customers: list[Customer] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Press:
    """One press: its value, such as the SKU of the line to take away, at which till and when."""

    value: str
    form: Any
    place: Place
    now: datetime
    by: User


def refused_as(where: str, refusal: Refusal) -> Said:
    """What cannot be used, then why."""
    what = "Points cannot be used" if refusal.code == "points" else f"{refusal.code} cannot be used"
    return Said(where, what, refusal.detail)
