"""The presses that pay points for a reward and give it back, and what of that the page shows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from loyaltyflow.again import again
from loyaltyflow.store.templatetags.figures import count
from rewards import till
from rewards.bill import Refused
from rewards.models import Exchange, Voucher

from .after import After, Press, Said
from .sale import SOURCE, Sale

WHERE = "rewards"
RECENT = timedelta(hours=12)
LONGEST = 19  # digits, of which no discount has as many


@dataclass(frozen=True, slots=True)
class Reward:
    """Something that the customer can have for points: what the button for it says, and what is missing."""

    title: str
    price: int
    press: str
    missing: int


def shown(person: till.Person, sale: Sale, now: datetime) -> dict[str, Any]:
    """The customer's offers, and what they took here lately and have not used."""
    unused = Exchange.objects.filter(voucher__customer=person.customer, voucher__state=Voucher.State.ISSUED)
    here = unused.filter(source=SOURCE, cancelled_at=None, made_at__gte=now - RECENT)
    taken = list(here.select_related("entry", "voucher__discount").order_by("-pk"))
    return {"rewards": _rewards(person, sale), "taken_rewards": taken}


def _rewards(person: till.Person, sale: Sale) -> list[Reward]:
    """Each offer, with a button that takes it once however often the page as it is drawn now sends it."""
    if not person.offers:
        return []
    turn = Exchange.objects.filter(source=SOURCE, external_id__startswith=f"{sale.number}-").count()
    have = person.account.spendable
    return [
        Reward(each.title, each.price, f"take:{each.reward}:{turn}", max(0, each.price - have))
        for each in person.offers
    ]


def take(sale: Sale, pressed: Press) -> After:
    """Pay the points for a reward; pressed again before the page was drawn anew it is the same one."""
    reward, _, turn = pressed.value.partition(":")
    customer = sale.customer
    if customer is None or not all(each.isdecimal() and len(each) < LONGEST for each in (reward, turn)):
        return After(sale)
    number = f"{sale.number}-{reward}-{turn}"
    try:
        done = again(
            lambda: till.exchange(
                int(reward),
                number,
                pressed.now,
                customer=customer,
                source=SOURCE,
                store_location=pressed.place.store,
                till=pressed.place.till,
                by=pressed.by,
            )
        )
    except Refused as refused:
        return After(sale, Said(WHERE, "Nothing was taken", refused.refusal.detail))
    voucher = done.exchange.voucher
    why = f"{count(done.exchange.points)} points were paid. The code is for this bill or a later one."
    return After(sale, Said(WHERE, f"{voucher.discount.title}: {voucher.code}", why, is_good=True))


def give_back(sale: Sale, pressed: Press) -> After:
    """Undo it: the points come back, the code goes, also from the bill."""
    try:
        number = pressed.value.replace("\0", "")
        undone = again(lambda: till.cancel_exchange(number, pressed.now, source=SOURCE, by=pressed.by))
    except Refused as refused:
        return After(sale, Said(WHERE, "It cannot be undone", refused.refusal.detail))
    voucher = undone.exchange.voucher
    why = f"{count(undone.exchange.points)} points were given back; {voucher.code} is not valid any more."
    without = sale.with_(codes=tuple(code for code in sale.codes if code != voucher.code))
    return After(without, Said(WHERE, f"{voucher.discount.title} is undone", why, is_good=True))
