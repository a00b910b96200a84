"""What a rule or a multiplier comes to, by the same statement as everything else; nothing of it is kept."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from django.db import models, transaction

from loyaltyflow.store.models import Product, StoreSettings

from ..bill import Bill, Line
from ..models import EarningRule, Movement, Multiplier, Programme
from .bills import of_bill
from .sums import worked_out

SPENT = Decimal("30.95")
Result = TypeVar("Result")


def tried(attempt: Callable[[], Result]) -> Result:
    """What the attempt returns; all that it wrote is taken back."""
    with transaction.atomic():
        result = attempt()
        transaction.set_rollback(True)
    return result


def of_all(now: datetime) -> dict[int, str]:
    """For each rule that is in force for any goods how it works out the points of a small purchase."""
    found = _worked_out(None, now).values_list("key", "explanation")
    return {int(key.split(":")[1]): explanation for key, explanation in found}


def of_rule(rule: EarningRule, now: datetime) -> str:
    """How the rule works out the points of a small purchase of its goods; empty if it looks at no purchases.

    The rule is changed for it: call it within `tried`.
    """
    if rule.rates is None:
        return ""
    EarningRule.objects.non_polymorphic().filter(pk=rule.pk).update(is_active=True, starts_at=now, ends_at=None)
    product = _product(rule)
    if product is None and (rule.categories or rule.products.exists()):
        return ""
    found = _worked_out(product, now).filter(key=f"earn:{rule.pk}:0").first()
    return found.explanation if found else "Such a small purchase earns no point."


def of_multiplier(multiplier: Multiplier, now: datetime) -> tuple[int, int]:
    """The points of a small purchase without the multiplier and with it, for whom and when it counts.

    The multiplier is changed for it: call it within `tried`.
    """
    product = _product(multiplier)
    Multiplier.objects.filter(pk=multiplier.pk).update(is_active=False)
    before = _sum(_worked_out(product, now))
    Multiplier.objects.filter(pk=multiplier.pk).update(
        is_active=True, weekdays=[], from_hour=None, until_hour=None, starts_at=None, ends_at=None
    )
    multiplier.segments.clear()
    multiplier.tiers.clear()
    return before, _sum(_worked_out(product, now))


def _sum(movements: models.QuerySet[Movement]) -> int:
    return sum(movements.values_list("points", flat=True))


def _product(of: EarningRule | Multiplier) -> Product | None:
    """One of the goods that it is about, if it is about some only."""
    chosen = models.Q(category__in=of.categories) | models.Q(pk__in=of.products.values("pk"))
    return Product.objects.filter(chosen, earns_points=True).order_by("pk").first()


def _worked_out(product: Product | None, now: datetime) -> models.QuerySet[Movement]:
    """What some member would earn by a purchase of that product."""
    line = Line(1, "", product.pk if product else None, "", product.category if product else "", "", Decimal(1), SPENT)
    bill = of_bill(Bill((line,), now), None, Decimal(1))
    return worked_out(bill, Programme.load(), StoreSettings.load(), now)
