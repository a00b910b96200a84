"""The retailer's product list in words that people read."""

import re
from collections.abc import Iterable
from typing import Any

from .people import facts

LOWER = {"And", "Of", "Or", "With", "In"}


def readable(text: str | None) -> str:
    """The words of the retailer's list written out, in title case: “FRZN ICE” becomes “Frozen Ice”."""
    spaced = re.sub(r"\bW/", "with ", re.sub(r"[:(]", r" \g<0>", text or "")).replace("&", " & ").replace("/", " / ")
    words = [facts()["words"].get(word, word.capitalize()) for word in spaced.replace(" :", ":").split()]
    joined = " ".join(word.lower() if word in LOWER and place else word for place, word in enumerate(words))
    return re.sub(r"-([a-z])", lambda found: f"-{found[1].upper()}", joined.replace(" / ", "/"))


def rows(products: Iterable[dict[str, Any]], prices: dict[int, str]) -> list[dict[str, str]]:
    """One row for the product intake for each product, and for each that was sold but is not on the list."""
    listed = list(products)
    made = [_row(product, prices.get(product["product_id"], "")) for product in listed]
    unlisted = sorted(set(prices) - {product["product_id"] for product in listed})
    return made + [{"sku": str(sku), "name": f"Product {sku}", "price": prices[sku]} for sku in unlisted]


def _row(product: dict[str, Any], price: str) -> dict[str, str]:
    kind = readable(product["product_type"] or product["product_category"] or product["department"])
    size = (product["package_size"] or "").strip().lower()
    return {
        "sku": str(product["product_id"]),
        "name": f"{kind}, {size}" if size else kind,
        "category": readable(product["product_category"] or product["department"]),
        "brand": "Store brand" if product["brand"] == "Private" else f"Maker {product['manufacturer_id']}",
        "price": price,
    }
