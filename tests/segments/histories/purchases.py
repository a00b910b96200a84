"""Buying in every way, and giving back parts of it."""

from datetime import timedelta
from decimal import Decimal
from random import Random

from loyaltyflow.store.models import Cart, Customer, Order, OrderLine, Product, Refund
from segments.conditions.bought_products import BoughtProducts
from segments.conditions.bought_units import BoughtUnits
from segments.conditions.has_cart import HasCart
from segments.conditions.made_purchase import MadePurchase
from segments.conditions.most_bought import MostBought
from segments.conditions.purchase_date import PurchaseDate
from segments.conditions.rfm_band import RfmBand
from segments.conditions.spent import Spent
from segments.conditions.visited_store import VisitedStore

from . import aimed_at, happening, numbers, some_moment, tell

AMOUNTS = ["0.00", "5.00", "9.99", "20.00", "40.00", "120.50"]


def buy(chance: Random, customer: Customer, at, now, products=(), **fields) -> Order:
    """A completed order of the products, or of any."""
    shelf = list(Product.objects.order_by("pk"))
    chosen = [*products] or [chance.choice(shelf) for _ in range(chance.choice([1, 1, 2, 4]))]
    lines = [
        OrderLine(
            number=number,
            product=product,
            quantity=chance.choice([1, 1, 2, Decimal("2.500")]),
            net=Decimal(chance.choice(AMOUNTS)),
        )
        for number, product in enumerate(chosen, 1)
    ]
    said = {
        "channel": chance.choice(["till", "web", "app", ""]),
        "store_location": chance.choice(["Salem", "Boston", ""]),
        "discount": Decimal(chance.choice(["0.00", "0.00", "3.00"])),
        "discount_code": chance.choice(["", "", "spring10", "WELCOME"]),
        **fields,
    }
    made = Order.objects.create(
        customer=customer,
        source="history",
        external_id=str(next(numbers)),
        placed_at=min(at, now),
        completed_at=at,
        net=sum(line.net for line in lines),
        **said,
    )
    for line in lines:
        line.order = made
    OrderLine.objects.bulk_create(lines)
    tell("order_placed", customer, made.placed_at, order=made.pk, net=str(made.net))
    tell("order_completed", customer, at, order=made.pk, net=str(made.net))
    return made


@happening
def buy_something(chance: Random, customer: Customer, at, now) -> None:
    buy(chance, customer, at, now)


@happening
def buy_twice_a_day(chance: Random, customer: Customer, at, now) -> None:
    """Two orders that may lie on both sides of a midnight."""
    buy(chance, customer, at, now)
    buy(chance, customer, at + timedelta(hours=chance.choice([0, 3, 20])), now)


@happening
def get_a_part_back(chance: Random, customer: Customer, at, now) -> None:
    """A part of an order's net amount is paid back; the shop tells it now."""
    open_ones = Order.objects.filter(customer=customer, refunded_at=None, completed_at__lte=now, net__gt=1)
    found = [order for order in open_ones.order_by("pk") if order.refunded < order.net]
    if found:
        made, at = chance.choice(found), min(at, now)
        amount = min(Decimal(chance.choice(["1.00", "5.00", "20.00"])), made.net - made.refunded)
        made.refunded += amount
        made.save(update_fields=["refunded"])
        Refund.objects.create(order=made, amount=amount, at=at)
        tell("order_updated", customer, now, order=made.pk, net=str(made.net))


@happening
def touch_a_cart(chance: Random, customer: Customer, at, now) -> None:
    """Something is put into a cart or taken out of it, or it is checked out."""
    at = min(at, now)
    found = list(Cart.objects.filter(customer=customer, updated_at__lte=at).order_by("pk"))
    known = chance.choice([None, *found])
    cart = known or Cart(customer=customer, source="history", external_id=str(next(numbers)))
    shelf = list(Product.objects.order_by("pk"))
    chosen = [chance.choice(shelf) for _ in range(chance.choice([0, 1, 1, 2, 3]))]
    cart.lines = [{"sku": product.sku, "quantity": 1} for product in chosen]
    cart.items, cart.updated_at = len(chosen), at
    cart.value = sum(Decimal(chance.choice(AMOUNTS)) for _ in chosen)
    if known and chance.random() < 0.2:
        cart.checked_out_at = cart.checked_out_at or at
    cart.save()
    tell("cart_updated", customer, at, cart=cart.external_id, items=cart.items)


@happening
def leave_a_cart_behind(chance: Random, customer: Customer, at, now) -> None:
    """Nobody has touched the cart for four hours, which the shop finds out now."""
    idle = timedelta(hours=4)
    untold = Cart.objects.filter(customer=customer, abandoned_at=None, checked_out_at=None, items__gt=0)
    cart = untold.filter(updated_at__lte=now - idle).order_by("pk").first()
    if cart:
        cart.abandoned_at = cart.updated_at + idle
        cart.save(update_fields=["abandoned_at"])
        tell("cart_abandoned", customer, cart.abandoned_at, cart=cart.pk)


@aimed_at(HasCart)
def fill_a_cart_as_is_asked(chance: Random, customer: Customer, condition, now) -> None:
    touch_a_cart(chance, customer, now - timedelta(hours=chance.choice([0, 1, 5, 50])), now)
    if condition.state == "left_behind":
        leave_a_cart_behind(chance, customer, now, now)


@aimed_at(MostBought)
def buy_what_is_liked(chance: Random, customer: Customer, condition, now) -> None:
    liked = list(Product.objects.filter(**{condition.kind: condition.name}).order_by("pk"))
    buy(chance, customer, some_moment(chance, now), now, [chance.choice(liked)])


@aimed_at(RfmBand)
def buy_as_buyers_of_the_band_do(chance: Random, customer: Customer, condition, now) -> None:
    """As many purchases as the band asks for, the last of them as long ago; the shop hears of them now."""
    days, many = {
        "champions": (3, 5),
        "loyal": (31, 3),
        "new": (30, 1),
        "promising": (31, 1),
        "needs_attention": (61, 1),
        "at_risk": (121, 3),
        "lost": (241, 1),
    }[condition.band]
    Order.objects.filter(customer=customer).update(cancelled_at=now)
    tell("order_cancelled", customer, now)
    for number in range(many):
        buy(chance, customer, now - timedelta(days=days + number), now)


@aimed_at(MadePurchase)
@aimed_at(Spent)
@aimed_at(BoughtUnits)
@aimed_at(BoughtProducts)
@aimed_at(VisitedStore)
@aimed_at(PurchaseDate)
def buy_what_is_asked(chance: Random, customer: Customer, condition, now) -> None:
    """A purchase of the sort that the condition asks about, often in its time; none if it asks for nobody's."""
    if condition.operator == "is_not_set":
        return
    products = [each for each in Product.objects.order_by("pk") if is_asked(condition, each)]
    chosen = [chance.choice(products)] if products and condition.asks_for_products() else []
    fields = {name: getattr(condition, name) for name in ("channel", "store_location") if getattr(condition, name)}
    if condition.discount == "code":
        fields["discount_code"] = condition.discount_code.lower()
    if condition.discount == "without":
        fields |= {"discount": Decimal(0), "discount_code": ""}
    at = chance.choice([now, now, some_moment(chance, now)])
    buy(chance, customer, at, now, chosen, **fields)


def is_asked(condition, product: Product) -> bool:
    return (
        condition.product_id in (None, product.pk)
        and condition.category in ("", product.category)
        and condition.brand in ("", product.brand)
        and (not condition.skus or product.sku in condition.listed_skus())
    )
