"""Vouchers used on orders that are there already, as those that a web shop took."""

from collections.abc import Iterable
from datetime import datetime

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Order, OrderLine

from .. import codes
from ..bill import Bill, Line, Reason, Refusal, Refused, smallest_coin
from ..claims import claims
from ..combining import judged
from ..holds import Hold
from ..receipts import Receipt
from ..redeeming import undone, used
from ..vouchers import Redemption, Voucher
from .holds import taken
from .refunds import locked, state


def redeem(
    code: str, number: str, now: datetime, *, source: str = "till", store_location: str = "", till: str = ""
) -> Redemption:
    """That the code was used on the order; said again it is the same. Raises Refused if it cannot be.

    The order itself stays as it is: what was paid for it is known already.
    """
    order = locked(number, source)
    voucher = _locked(code)
    known = Redemption.objects.standing().filter(order=order, voucher=voucher).first()
    if known is not None:
        return known
    if order.cancelled_at:
        raise Refused(Refusal(number, Reason.ORDER_CLOSED, f"{order} was cancelled.", state(order)))
    other = Hold.objects.open(now).filter(voucher=voucher, is_single=True).first()
    if other is not None:
        raise Refused(taken(voucher, other, now))
    bill = Bill(
        tuple(_lines(order)),
        now,
        order.shipping,
        store_location or order.store_location,
        order.channel,
        order.pk,
        smallest_coin(store().currency),
    )
    judgement = judged(claims([voucher]), bill, order.customer_id, now)
    if judgement.refused:
        raise Refused(judgement.refused[0])
    return used(judgement.taken, order, order.customer_id, now, store_location=bill.store_location, till=till)[0]


def release(
    code: str, number: str, now: datetime, *, source: str = "till", store_location: str = "", till: str = ""
) -> Redemption:
    """The use of the code on the order, which counts no longer.

    Raises Refused if it was never used there, or was by the sale itself: what it took off has been paid less by then.
    """
    order = locked(number, source)
    voucher = _locked(code)
    use = Redemption.objects.filter(order=order, voucher=voucher).order_by("-pk").first()
    if use is None:
        raise Refused(Refusal(voucher.code, Reason.NOT_FOUND, f"{voucher.code} was not used on {order}."))
    if use.reversed_at is None and _is_of_the_sale(use, order):
        said = f"{voucher.code} was part of the sale of {order}. Refund or cancel the order to have it back."
        raise Refused(Refusal(voucher.code, Reason.PART_OF_SALE, said, state(order)))
    undone([use], now)
    return use


def _is_of_the_sale(use: Redemption, order: Order) -> bool:
    """Whether a till took the code when it sold, and not somebody afterwards."""
    return use.redeemed_at == order.placed_at and Receipt.objects.filter(order=order).exists()


def _locked(code: str) -> Voucher:
    """The voucher, kept from others; raises Refused if nobody knows the code."""
    found = Voucher.objects.select_for_update(no_key=True).filter(key=codes.key(code)).first()
    return found if found is not None else Voucher.read(code)


def _lines(order: Order) -> Iterable[Line]:
    """The lines of the order as they were before discounts."""
    for line in OrderLine.objects.filter(order=order).select_related("product").order_by("number"):
        sort = line.product
        amount = line.net + line.discount
        yield Line(line.number, sort.sku, sort.pk, sort.name, sort.category, sort.brand, line.quantity, amount)
