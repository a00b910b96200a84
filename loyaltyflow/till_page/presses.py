"""What each press at the till does to the sale. Only what holds, completes, undoes or takes rewards writes."""

from collections.abc import Callable
from datetime import datetime

from django.db.models import Q

from loyaltyflow import guesses
from loyaltyflow.again import again
from loyaltyflow.store.models import Customer, Product
from loyaltyflow.store.templatetags.figures import clock, count
from loyaltyflow.words import listed, plain
from rewards import codes, till
from rewards.bill import Refused
from rewards.models import Hold, Voucher

from . import rewarding
from .after import After, Press, Said, refused_as
from .completing import complete, undo
from .sale import SOURCE, Line, Sale, new

FOUND = 6
STEP = 100
SHORTEST = 2  # signs, before products are looked for by name
TOO_MANY = "Too many codes were tried that nobody knows"
PHONE = 7  # digits of a phone number at least


def press(sale: Sale, name: str, pressed: Press) -> After:
    """The sale after the press of that name; as it was, if there is no such press or it is refused."""
    sale = _without_guesses(sale, pressed)
    try:
        return PRESSES.get(name, _count)(sale, pressed)
    except Refused as refused:
        return After(sale, refused_as("bill", refused.refusal))


def _without_guesses(sale: Sale, pressed: Press) -> Sale:
    """The sale without codes that nobody knows: the page puts none on it, so they were sent to find a good one."""
    known = {code for code in sale.codes if _voucher(code) is not None}
    if len(known) < len(sale.codes):
        guesses.count(pressed.by, sale.customer, len(sale.codes) - len(known), pressed.now)
    is_waiting = sale.codes and guesses.seconds_to_wait(pressed.by, sale.customer, pressed.now)
    return sale.with_(codes=() if is_waiting else tuple(code for code in sale.codes if code in known))


def _count(sale: Sale, pressed: Press) -> After:
    """Work everything out anew."""
    return After(sale)


def _scan(sale: Sale, pressed: Press) -> After:
    """Whatever was scanned or typed: a card, an e-mail address, a product, a code, a phone number, a name."""
    text = (pressed.form.get("scanned") or pressed.form.get("scan") or "").replace("\0", "").strip()[:200]
    if not text:
        return _try(sale, pressed) if pressed.form.get("try", "").strip() else After(sale)
    known = _customers(text, pressed.now)
    if known:
        return _chosen(sale, known[0]) if len(known) == 1 else After(sale, customers=known)
    if product := Product.objects.filter(sku=text).first():
        return After(_added(sale, product))
    seconds = guesses.seconds_to_wait(pressed.by, sale.customer, pressed.now)
    if not seconds and _voucher(text) is not None:
        return _with_code(sale, text, pressed)
    found = _products(text)
    if found:
        return After(sale, products=found)
    if seconds:
        return After(sale, Said("scan", TOO_MANY, guesses.wait(seconds)))
    if codes.key(text):  # it could have been a code
        guesses.count(pressed.by, None, 1, pressed.now)
    why = "It is no card, phone number, e-mail address, product or voucher code that we know. Nothing was changed."
    why += " Customers are not found by name: ask for their phone number or e-mail address."
    return After(sale, Said("scan", f"“{text}” was not found", why))


def _customers(text: str, now: datetime) -> list[Customer]:
    """Those whom the text names: by card, then by e-mail address, then by phone number."""
    if found := till.find(now, card=text):
        return found
    if "@" in text:
        return till.find(now, email=text)
    if Product.objects.filter(sku=text).exists() or sum(each.isdigit() for each in text) < PHONE:
        return []
    try:
        return till.find(now, phone=text)
    except ValueError:
        return []


def _products(text: str) -> list[Product]:
    """Products on sale that have all the words in their names."""
    words = text.split()
    if len(text) < SHORTEST:
        return []
    named = Product.objects.filter(*(Q(name__icontains=word) for word in words), is_active=True)
    return list(named.order_by("name", "pk")[:FOUND])


def _chosen(sale: Sale, customer: Customer) -> After:
    """The customer at the till; codes and points of somebody else are not theirs."""
    if customer.pk == sale.customer:
        return After(sale)
    return After(sale.with_(customer=customer.pk, codes=(), points=0, unread="", hold=""))


def _choose(sale: Sale, pressed: Press) -> After:
    is_number = pressed.value.isdecimal() and len(pressed.value) < 19
    customer = Customer.objects.filter(pk=int(pressed.value)).first() if is_number else None
    return _chosen(sale, customer) if customer else After(sale)


def _add(sale: Sale, pressed: Press) -> After:
    product = Product.objects.filter(sku=pressed.value.replace("\0", "")).first()
    return After(_added(sale, product)) if product else After(sale)


def _added(sale: Sale, product: Product) -> Sale:
    """The sale with one more of the product, on the line where it stands already if it does."""
    lines = list(sale.lines)
    for place, line in enumerate(lines):
        if line.sku == product.sku and line.quantity.isdecimal() and len(line.quantity) < 6:
            lines[place] = Line(line.sku, line.name, str(int(line.quantity) + 1), line.price)
            return sale.with_(lines=tuple(lines))
    price = "" if product.price is None else f"{product.price:f}"
    return sale.with_(lines=(*lines, Line(product.sku, product.name, "1", price)))


def _remove(sale: Sale, pressed: Press) -> After:
    """The sale without the line of that place, counted from 0."""
    return After(sale.with_(lines=tuple(each for n, each in enumerate(sale.lines) if str(n) != pressed.value)))


def _try(sale: Sale, pressed: Press) -> After:
    return _with_code(sale, pressed.form.get("try", "").replace("\0", "").strip()[:60], pressed)


def _use(sale: Sale, pressed: Press) -> After:
    return _with_code(sale, pressed.value[:60], pressed)


def _with_code(sale: Sale, typed: str, pressed: Press) -> After:
    """The sale with the code, if it can be used on this bill; else as it was, and why."""
    if not typed:
        return After(sale)
    if seconds := guesses.seconds_to_wait(pressed.by, sale.customer, pressed.now):
        return After(sale, Said("code", TOO_MANY, guesses.wait(seconds)))
    try:
        code = Voucher.read(typed).code
    except Refused as refused:
        guesses.count(pressed.by, sale.customer, 1, pressed.now)
        return After(sale, refused_as("code", refused.refusal))
    if code in sale.codes:
        return After(sale)
    tried = sale.with_(codes=(*sale.codes, code))
    if not tried.is_priced:
        return After(tried, Said("code", f"{code} is noted", "It is tried once there are products.", is_good=True))
    quoted = till.quote(tried.ask(pressed.place, pressed.now), pressed.now)
    refused_now = [each for each in quoted.refusals if each.code not in ("points", *sale.codes)]
    return After(sale, refused_as("code", refused_now[0])) if refused_now else After(tried)


def _voucher(text: str) -> Voucher | None:
    """The voucher of that code, however it is written; None if there is none."""
    return Voucher.objects.coded(text).first() if codes.key(text) else None


def _drop(sale: Sale, pressed: Press) -> After:
    return After(sale.with_(codes=tuple(code for code in sale.codes if code != pressed.value)))


def _points(sale: Sale, pressed: Press) -> After:
    """More, fewer, or all that the bill and the balance allow."""
    if pressed.value == "all":
        customer = sale.ask(pressed.place, pressed.now).customer
        have = till.look_up(customer, pressed.now).account.spendable if customer else 0
        return After(sale.with_(points=have, unread=""))
    step = STEP if pressed.value == "more" else -STEP
    return After(sale.with_(points=max(0, sale.points + step), unread=""))


def _forget(sale: Sale, pressed: Press) -> After:
    return After(sale.with_(customer=None, codes=(), points=0, unread="", hold=""))


def _clear(sale: Sale, pressed: Press) -> After:
    """A new sale; what was held for this one is let go."""
    if sale.hold:
        _let_go(sale, pressed)
    return After(new(pressed.now))


def _hold(sale: Sale, pressed: Press) -> After:
    """Keep the points and the first code for the customer for some minutes."""
    if sale.customer is None or not (sale.points or sale.codes):
        return After(sale, Said("hold", "There is nothing to hold", "Choose points or a voucher first."))
    # Pressed again while it lasts it is the same hold; once it is over, the next one has a number of its own.
    before = Hold.objects.filter(source=SOURCE, external_id__startswith=f"{sale.number}-")
    name = f"{sale.number}-{before.count() - before.open(pressed.now).count()}"
    customer, code = sale.customer, next(iter(sale.codes), "")
    try:
        held = again(
            lambda: till.hold(
                name,
                pressed.now,
                customer=customer,
                points=sale.points,
                code=code,
                source=SOURCE,
                store_location=pressed.place.store,
                till=pressed.place.till,
            )
        )
    except Refused as refused:
        return After(sale, refused_as("hold", refused.refusal))
    kept = [*([f"{count(held.points)} points"] if held.points else []), *([code] if code else [])]
    what = f"Held until {clock(held.expires_at)}: {plain(listed(kept, 'and'))}"
    return After(sale.with_(hold=name), Said("hold", what, "No other till can take it meanwhile.", is_good=True))


def _release(sale: Sale, pressed: Press) -> After:
    if sale.hold:
        _let_go(sale, pressed)
    return After(sale.with_(hold=""), Said("hold", "Nothing is held any more", is_good=True))


def _let_go(sale: Sale, pressed: Press) -> None:
    again(lambda: till.release(sale.hold, pressed.now, source=SOURCE))


PRESSES: dict[str, Callable[[Sale, Press], After]] = {
    "scan": _scan,
    "choose": _choose,
    "add": _add,
    "remove": _remove,
    "try": _try,
    "use": _use,
    "drop": _drop,
    "points": _points,
    "forget": _forget,
    "clear": _clear,
    "hold": _hold,
    "release": _release,
    "complete": complete,
    "undo": undo,
    "take": rewarding.take,
    "give_back": rewarding.give_back,
}
