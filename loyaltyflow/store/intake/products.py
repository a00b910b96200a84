from decimal import Decimal
from typing import Any

from loyaltyflow.store.buyers import tell_of_new_group

from . import cells
from .base import Column, Context, Kind

FIELDS = ("name", "category", "brand", "price", "image_url", "url", "is_active", "earns_points")
# Several rows of one product: the last filled cell of each column counts.
LAST = ", ".join(
    f'(array_agg("{name}" ORDER BY line DESC) FILTER (WHERE "{name}" IS NOT NULL))[1] {name}' for name in FIELDS
)
GATHER = f"CREATE TEMPORARY TABLE intake_products ON COMMIT DROP AS SELECT sku, {LAST} FROM intake_rows GROUP BY sku"
REGROUPED = """SELECT p.id FROM intake_products n JOIN store_product p ON p.sku = n.sku
WHERE n.category <> p.category OR n.brand <> p.brand"""
NEW = """SELECT p.id FROM intake_products n JOIN store_product p ON p.sku = n.sku
JOIN intake_rows r ON r.sku = n.sku WHERE r.status = 'created'"""
UPDATE = f"""UPDATE store_product p SET {", ".join(f"{name} = coalesce(n.{name}, p.{name})" for name in FIELDS)}
FROM intake_products n WHERE n.sku = p.sku AND ({" OR ".join(f"n.{name} <> p.{name}" for name in FIELDS)}
    OR n.price IS NOT NULL AND p.price IS NULL)
RETURNING p.sku"""
CREATE = """INSERT INTO store_product (sku, name, category, brand, price, image_url, url, is_active, earns_points)
SELECT sku, coalesce(name, sku), coalesce(category, ''), coalesce(brand, ''), price, coalesce(image_url, ''),
    coalesce(url, ''), coalesce(is_active, true), coalesce(earns_points, true)
FROM intake_products ON CONFLICT (sku) DO NOTHING RETURNING sku"""
MARK = """WITH changed AS ({statement})
UPDATE intake_rows r SET status = '{status}' FROM changed WHERE changed.sku = r.sku"""


class Products(Kind):
    """What the store sells; a SKU that is known already is updated, and empty cells leave what is known."""

    name = "products"
    columns = (
        Column("sku", cells.text(64), "Stock keeping unit: what the product is known by.", "text", True, "TEA-100"),
        Column("name", cells.text(200), "As customers read it. Empty for a new product: its SKU.", example="Mint tea"),
        Column("category", cells.text(120), "Its group.", example="Tea"),
        Column("brand", cells.text(120), "Who makes it.", example="Harbor Roast"),
        Column(
            "price",
            cells.number(10, 2, Decimal(0)),
            "In the store's currency, such as 4.50.",
            "numeric",
            example="4.50",
        ),
        Column("image_url", cells.url, "Web address of its picture.", example="https://shop.example.com/tea.jpg"),
        Column("url", cells.url, "Web address of its page.", example="https://shop.example.com/tea"),
        Column("is_active", cells.yes_no, "Whether it is sold now: yes or no.", "boolean", example="yes"),
        Column("earns_points", cells.yes_no, "No for gift cards and the like: yes or no.", "boolean", example="yes"),
    )

    def merge(self, cursor: Any, context: Context) -> dict[str, int]:
        cursor.execute("DROP TABLE IF EXISTS intake_products")
        cursor.execute(GATHER)
        cursor.execute(REGROUPED)
        regrouped = {product for (product,) in cursor.fetchall()}
        cursor.execute(MARK.format(statement=UPDATE, status="updated"))
        cursor.execute(MARK.format(statement=CREATE, status="created"))
        cursor.execute(NEW)
        if regrouped := regrouped | {product for (product,) in cursor.fetchall()}:
            tell_of_new_group([*regrouped], context.now, context.source)
        cursor.execute("SELECT status, count(DISTINCT sku) FROM intake_rows GROUP BY status")
        return {"created": 0, "updated": 0, "unchanged": 0} | dict(cursor.fetchall())


PRODUCTS = Products()
