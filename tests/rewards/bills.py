"""Bills and vouchers for the tests of discounts."""

from decimal import Decimal
from itertools import count

from rewards.bill import Bill, Line
from rewards.claims import claims
from rewards.discounts.amount_off_bill import AmountOffBill
from rewards.models import Voucher

_numbers = count(1)


def line(amount, name="Anything", *, quantity="1", category="", product=None, number=0):
    """One line; of a product, if that is given."""
    return Line(
        number=number,
        sku=product.sku if product else name,
        product=product.pk if product else None,
        name=product.name if product else name,
        category=product.category if product else category,
        brand="",
        quantity=Decimal(quantity),
        amount=Decimal(amount),
    )


def bill(now, *lines, **more):
    """A bill of the lines, numbered from 1; a text is the amount of one."""
    made = [line(each) if isinstance(each, str) else each for each in lines]
    numbered = (
        Line(number, each.sku, each.product, each.name, each.category, each.brand, each.quantity, each.amount)
        for number, each in enumerate(made, 1)
    )
    return Bill(lines=tuple(numbered), at=now, **more)


def discount(kind=AmountOffBill, **fields):
    """A discount that is switched on; $10.00 off the bill, if nothing else is said."""
    amount = {"amount": Decimal(10)} if kind is AmountOffBill else {}
    name = f"Discount {next(_numbers)}"
    return kind.objects.create(**{"name": name, "title": name, "is_active": True, **amount, **fields})


def voucher(of=None, **fields):
    """A voucher that can be used once."""
    return Voucher.objects.create(**{"code": f"CODE{next(_numbers)}", "discount": of or discount(), **fields})


def claimed(*vouchers):
    """The vouchers as they are now, ready to be checked."""
    return claims(Voucher.objects.filter(pk__in=[each.pk for each in vouchers]))


def amounts(off):
    """What is off each line, by its number, as text."""
    return {number: str(amount) for number, amount in off.lines.items()}
