from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from segments.conditions.bought_products import BoughtProducts
from segments.conditions.bought_units import BoughtUnits
from segments.conditions.has_cart import HasCart
from segments.conditions.made_purchase import MadePurchase
from segments.conditions.most_bought import MostBought
from segments.conditions.purchase_date import PurchaseDate
from segments.conditions.rfm_band import RfmBand
from segments.conditions.spent import Spent
from segments.conditions.visited_store import VisitedStore

from . import answers, comparing, local_day


def by(moment, now):
    return moment is not None and moment <= now


def is_purchase(order, now):
    return by(order["completed_at"], now) and not by(order["cancelled_at"], now) and not by(order["refunded_at"], now)


def skus(condition):
    return [each.strip() for each in condition.skus.split(",") if each.strip()]


def is_asked_line(condition, line):
    return (
        (condition.product_id is None or line["product_id"] == condition.product_id)
        and (not condition.skus or line["product__sku"] in skus(condition))
        and (not condition.category or line["product__category"] == condition.category)
        and (not condition.brand or line["product__brand"] == condition.brand)
    )


def asks_for_products(condition):
    return bool(condition.product_id or condition.skus or condition.category or condition.brand)


def is_asked_order(condition, order):
    code, asked = order["discount_code"], condition.discount
    return (
        (not condition.channel or order["channel"] == condition.channel)
        and (not condition.store_location or order["store_location"] == condition.store_location)
        and (asked != "used" or order["discount"] > 0 or code != "")
        and (asked != "without" or order["discount"] == 0 and code == "")
        and (asked != "code" or code.lower() == condition.discount_code.strip().lower())
    )


def asked_lines(condition, facts, order):
    return [line for line in facts["lines"] if line["order_id"] == order["id"] and is_asked_line(condition, line)]


def bought(condition, facts, now):
    """The purchases that are meant, whenever they were."""
    return [
        order
        for order in facts["orders"]
        if is_purchase(order, now)
        and is_asked_order(condition, order)
        and (not asks_for_products(condition) or asked_lines(condition, facts, order))
    ]


def counted(condition, facts, now):
    return [
        order
        for order in bought(condition, facts, now)
        if comparing.inside(condition, order["completed_at"], facts, now)
    ]


def worth(condition, facts, order, now):
    if asks_for_products(condition):
        return sum(line["net"] for line in asked_lines(condition, facts, order))
    refunds = [each for each in facts["refunds"] if each["order_id"] == order["id"] and each["at"] <= now]
    return order["net"] - sum(each["amount"] for each in refunds)


@answers(MadePurchase)
def made_purchase(condition, facts, now):
    many = len(counted(condition, facts, now))
    return {
        "at_least": many >= condition.count,
        "at_most": many <= condition.count,
        "exactly": many == condition.count,
        "none": many == 0,
    }[condition.operator]


@answers(Spent)
def spent(condition, facts, now):
    amounts = [Decimal(worth(condition, facts, order, now)) for order in counted(condition, facts, now)]
    if condition.measure == "total":
        return comparing.number(condition, sum(amounts, Decimal(0)))
    if not amounts:
        return comparing.number(condition, None)
    drawn = {"average": sum(amounts) / len(amounts), "largest": max(amounts), "smallest": min(amounts)}
    return comparing.number(condition, drawn[condition.measure])


@answers(BoughtUnits)
def bought_units(condition, facts, now):
    orders = counted(condition, facts, now)
    return comparing.number(
        condition, sum(line["quantity"] for order in orders for line in asked_lines(condition, facts, order))
    )


@answers(BoughtProducts)
def bought_products(condition, facts, now):
    orders = counted(condition, facts, now)
    products = {line["product_id"] for order in orders for line in asked_lines(condition, facts, order)}
    return comparing.number(condition, len(products))


@answers(VisitedStore)
def visited_store(condition, facts, now):
    days = {local_day(order["completed_at"], now) for order in counted(condition, facts, now)}
    return comparing.number(condition, len(days))


@answers(PurchaseDate)
def purchase_date(condition, facts, now):
    moments = [order["completed_at"] for order in bought(condition, facts, now)]
    chosen = {"first": min, "last": max}[condition.which](moments, default=None)
    return comparing.instant(condition, chosen, now)


@answers(MostBought)
def most_bought(condition, facts, now):
    much: defaultdict[str, Decimal] = defaultdict(Decimal)
    seen = set()
    inside = {
        order["id"]
        for order in facts["orders"]
        if is_purchase(order, now) and comparing.inside(condition, order["completed_at"], facts, now)
    }
    for line in facts["lines"]:
        name = line[f"product__{condition.kind}"]
        if line["order_id"] not in inside or not name:
            continue
        is_first = (line["order_id"], name) not in seen
        seen.add((line["order_id"], name))
        much[name] += {"spend": line["net"], "units": line["quantity"], "purchases": is_first}[condition.measure]
    return bool(much) and min(much, key=lambda name: (-much[name], name)) == condition.name


@answers(RfmBand)
def rfm_band(condition, facts, now):
    bought = [order for order in facts["orders"] if is_purchase(order, now)]
    if not bought:
        return False
    days = (now.date() - max(local_day(order["completed_at"], now) for order in bought)).days
    year = [order for order in bought if local_day(order["completed_at"], now) >= now.date() - timedelta(days=365)]
    refunds = {order["id"]: [row for row in facts["refunds"] if row["order_id"] == order["id"]] for order in year}
    back = sum(row["amount"] for rows in refunds.values() for row in rows if row["at"] <= now)
    return band(days, len(year), sum(order["net"] for order in year) - back, condition.spend) == condition.band


def band(days, many, spent, spend):
    if days <= 30 and many >= 5 and spent >= spend:
        return "champions"
    if days <= 60:
        return "loyal" if many >= 3 else "new" if many == 1 and days <= 30 else "promising"
    if days <= 240 and many >= 3:
        return "at_risk"
    return "needs_attention" if days <= 120 and many < 3 else "lost"


@answers(HasCart)
def has_cart(condition, facts, now):
    return any(is_asked_cart(condition, cart, facts, now) for cart in facts["carts"])


def is_asked_cart(condition, cart, facts, now):
    if cart["updated_at"] > now or not cart["items"] or by(cart["checked_out_at"], now):
        return False
    if any(cart["updated_at"] <= order["placed_at"] <= now for order in facts["orders"]):
        return False
    if condition.state == "left_behind" and not (
        by(cart["abandoned_at"], now) and cart["abandoned_at"] >= cart["updated_at"]
    ):
        return False
    number = {"": None, "worth": cart["value"], "items": cart["items"]}[condition.measure]
    if condition.measure and not comparing.number(condition, number):
        return False
    skus = [line.get("sku") for line in cart["lines"]]
    if condition.product_id and condition.product.sku not in skus:
        return False
    held = [product for product in facts["products"] if product["sku"] in skus]
    asked = {name: getattr(condition, name) for name in ("category", "brand") if getattr(condition, name)}
    return not asked or any(all(product[name] == value for name, value in asked.items()) for product in held)
