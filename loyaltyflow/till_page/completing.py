"""The presses that write a sale down and undo it, and what is said to whoever comes too late."""

from datetime import datetime

from loyaltyflow.again import again
from loyaltyflow.store.models import Customer, Order
from loyaltyflow.store.templatetags.figures import clock, count, money
from loyaltyflow.words import number
from rewards import till
from rewards.bill import Refusal, Refused
from rewards.models import Voucher
from rewards.vouchers import Redemption

from .after import After, Press, Said, refused_as
from .sale import SOURCE, Sale, new

MOMENTS = 600  # seconds in which something has just happened


def complete(sale: Sale, pressed: Press) -> After:
    """Write the sale down, if it still comes to the amount that the button said; then begin a new one."""
    ask = sale.ask(pressed.place, pressed.now, pressed.by)
    if ask.customer is None or not sale.is_priced or sale.unread:
        return After(
            sale, Said("bill", "The sale is not complete yet", "It needs a customer and a bill without faults.")
        )
    is_new = not Order.objects.filter(source=SOURCE, external_id=sale.number).exists()
    if is_new:
        quoted = till.quote(ask, pressed.now)
        if quoted.refusals:
            return _too_late(sale, quoted.refusals[0], pressed)
        if f"{quoted.to_pay:.2f}" != pressed.value:
            why = "Nothing was taken. Look at the bill, then press again."
            return After(sale, Said("bill", f"It comes to {money(quoted.to_pay)} now", why))
    try:
        sold = again(lambda: till.commit(ask, sale.number, pressed.now))
    except Refused as refused:
        return _too_late(sale, refused.refusal, pressed)
    earned = sold.told["points_to_earn"]
    what = f"Sold to {ask.customer}, order {sold.order.external_id}"
    return After(new(pressed.now), Said("done", what, f"Earns {count(earned)} points.", is_good=True))


def _too_late(sale: Sale, refusal: Refusal, pressed: Press) -> After:
    """The sale without the code that somebody else used, who that was, and what is left."""
    without = sale.with_(codes=tuple(code for code in sale.codes if code != refusal.code))
    use = _use_of(refusal.code)
    if use is None:
        said = refused_as("bill", refusal)
        return After(without, Said("bill", said.what, f"{said.why} Nothing was taken here."))
    where = " · ".join(part for part in (use.store_location, use.till) if part) or "another till"
    just = "just " if (pressed.now - use.redeemed_at).total_seconds() < MOMENTS else ""
    who = f"{use.customer}, " if use.customer and use.customer_id == sale.customer else ""
    left = f"Nothing was taken here; {_left(sale, pressed.now)}"
    what = f"Voucher {refusal.code} was {just}used at {where}"
    return After(without, Said("bill", what, f"{who}{clock(use.redeemed_at)}. {left}"))


def _use_of(code: str) -> Redemption | None:
    """The use of the voucher that stands, if it was used."""
    uses = Redemption.objects.standing().filter(voucher__code=code, voucher__state=Voucher.State.REDEEMED)
    return uses.select_related("customer").order_by("redeemed_at").last()


def _left(sale: Sale, now: datetime) -> str:
    """How many vouchers the customer can still use."""
    customer = Customer.objects.filter(pk=sale.customer).first()
    others = Voucher.objects.filter(Voucher.lasts(now), customer=customer, state=Voucher.State.ISSUED).count()
    name = (customer and (customer.first_name or str(customer))) or "this customer"
    if not others:
        return f"{name} has no other vouchers."
    return f"{name} has {number(others, 'other voucher')} left."


def undo(sale: Sale, pressed: Press) -> After:
    """Undo a sale of this page: points and vouchers come back, what it earned goes."""
    try:
        undone = again(lambda: till.cancel(pressed.value.replace("\0", ""), pressed.now, source=SOURCE, by=pressed.by))
    except Refused as refused:
        return After(sale, refused_as("done", refused.refusal))
    parts = [f"{count(undone.taken_back)} points were taken back"] if undone.taken_back else []
    parts += [f"{count(undone.given_back)} points were given back"] if undone.given_back else []
    parts += [f"{code} can be used again" for code in undone.codes]
    why = f"{', '.join(parts)}." if parts else ""
    return After(sale, Said("done", f"Order {undone.order.external_id} is undone", why, is_good=True))
