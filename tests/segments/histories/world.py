"""What the examples of conditions name: made once, here, so that an example needs no test of its own."""

from collections.abc import Callable
from typing import Any

from django.db import models

from loyaltyflow.store.models import Product
from segments.checks import condition_types
from segments.exchange.trees import name_field, own_fields
from segments.models import Segment

from . import furnishing

Maker = Callable[[str], Any]
MAKERS: dict[type[models.Model], Maker] = {}

SHOP = [
    ("TEA-100", "Mint tea", "Tea", "Leaf"),
    ("TEA-200", "Green tea", "Tea", "Hill"),
    ("COFFEE-100", "Dark roast", "Coffee", "Hill"),
    ("COFFEE-200", "Light roast", "Coffee", "Roastery"),
    ("MUG-1", "Mug", "Mugs", ""),
    ("BAG-1", "Paper bag", "", ""),
]


def makes(model: type[models.Model]) -> Callable[[Maker], Maker]:
    """Marks the function that makes the row of a name, for rows that need more than their name."""

    def marked(maker: Maker) -> Maker:
        MAKERS[model] = maker
        return maker

    return marked


@makes(Product)
def product(sku: str) -> Product:
    return Product.objects.create(sku=sku, name=f"Product {sku}", category="Other")


@makes(Segment)
def segment(name: str) -> Segment:
    """One that is filled by hand: happenings put customers in and take them out."""
    return Segment.objects.create(name=name, kind=Segment.Kind.STATIC, is_active=True)


@furnishing
def the_shop() -> None:
    for sku, name, category, brand in SHOP:
        Product.objects.get_or_create(sku=sku, defaults={"name": name, "category": category, "brand": brand})


@furnishing
def what_examples_name() -> None:
    for kind in condition_types():
        if not kind.asked_of_segments:
            continue  # what these name stands in a workflow
        for field in own_fields(kind):
            if field.is_relation:
                for example in kind.examples:
                    _row(field.related_model, example.get(field.name))


def _row(model: type[models.Model], name: str | None) -> None:
    if name is None:
        return
    known = {name_field(model): name}
    if not model._default_manager.filter(**known).exists():
        MAKERS.get(model, lambda _: model._default_manager.create(**known))(name)
