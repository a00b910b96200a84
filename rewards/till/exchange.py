"""Rewards for points: a customer pays with points and gets a code of their own; as long as it is unused, undone."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from django.contrib.auth.models import User
from django.db.models import Count, Q, TextField, Value

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer

from .. import budgets, ledger
from ..assigning import WhyNone, assign
from ..bill import Reason, Refusal, Refused
from ..budgets import Wish
from ..checks import against
from ..claims import claims
from ..discounts.base import Discount
from ..endings import revoke
from ..exchanges import Exchange
from ..facts import facts
from ..holds import Hold
from ..offers import open_to
from ..programme import Programme
from ..vouchers import Redemption, Voucher
from .asking import known, locked_account, no_member
from .holds import taken

ENDED = {
    Voucher.State.REDEEMED: Reason.ALREADY_REDEEMED,
    Voucher.State.EXPIRED: Reason.EXPIRED,
    Voucher.State.REVOKED: Reason.REVOKED,
    Voucher.State.SUPERSEDED: Reason.SUPERSEDED,
}


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A reward that was taken for points, or given back, with the customer's account after it."""

    exchange: Exchange
    customer: Customer
    account: ledger.Points


def exchange(
    reward: int,
    number: str,
    now: datetime,
    *,
    customer: int,
    source: str = "till",
    store_location: str = "",
    till: str = "",
    by: User | None = None,
) -> Exchanged:
    """The exchange of that number: points for a voucher of the discount whose id is `reward`.

    Sent again it is the same, and nothing is paid twice. Raises Refused if the customer cannot have the reward, has too
    few points, or if no code of it is left.
    """
    who = locked_account(known(customer))
    before = _known(number, source)
    if before is not None:
        return _again(before, reward, who, now)
    discount = _open(reward, who, now)
    price, key = discount.points_price or 0, f"exchange:{sha256(f'{source}:{number}'.encode()).hexdigest()}"
    said = f"{price:,} {'points' if price != 1 else 'point'} for {discount.title}"[:200]
    entry = ledger.redeem(who.pk, price, key=key, explanation=said, now=now, by=by)
    voucher = _given(discount, who, key, now)
    _must_be_usable_often_enough(discount, who)
    made = Exchange.objects.create(
        source=source,
        external_id=number,
        entry=entry,
        voucher=voucher,
        store_location=store_location,
        till=till,
        made_at=now,
        by=by,
    )
    return _exchanged(made, who, now)


def cancel_exchange(number: str, now: datetime, *, source: str = "till", by: User | None = None) -> Exchanged:
    """The exchange of that number, undone: the points are back where they came from, and the code is revoked.

    Asked for again it is the same. Raises Refused if there is none, or if its code was used or ended otherwise.
    """
    found = _known(number, source)
    if found is None:
        raise Refused(Refusal(number, Reason.NOT_FOUND, f"No reward was taken under the number {number}."))
    paid_by = found.entry.customer_id
    ledger.lock([paid_by, known(paid_by).pk])
    voucher = Voucher.objects.select_for_update(no_key=True).get(pk=found.voucher_id)
    made = Exchange.objects.select_related("entry", "voucher__discount", "voucher__budget").get(pk=found.pk)
    if made.cancelled_at is None:
        _must_be_unused(voucher, now)
        said = f"{made.voucher.discount.title} was given back"
        ledger.give_back(made.entry, key=f"give_back:{made.entry_id}", now=now, explanation=said, by=by)
        revoke(Voucher.objects.filter(pk=voucher.pk), "Given back for its points", now)
        _give_back_to_budget(made.voucher)
        made.cancelled_at = now
        made.save(update_fields=["cancelled_at"])
    return _exchanged(made, known(paid_by), now)


def _known(number: str, source: str) -> Exchange | None:
    found = Exchange.objects.select_related("entry", "voucher__discount")
    return found.filter(source=source, external_id=number).first()


def _again(before: Exchange, reward: int, who: Customer, now: datetime) -> Exchanged:
    """The exchange that was made before, if it was of the same reward by the same customer and stands."""
    number = before.external_id
    current = {"reward": before.voucher.discount_id, "customer": before.entry.customer_id}
    if before.voucher.discount_id != reward or known(before.entry.customer_id).pk != who.pk:
        said = f"Another reward was taken under the number {number}. Take a new number for each."
        raise Refused(Refusal(number, Reason.NUMBER_TAKEN, said, current))
    if before.cancelled_at:
        said = f"{before.voucher.discount.title} was given back. Take it again under a new number."
        raise Refused(Refusal(number, Reason.ORDER_CLOSED, said, current))
    return _exchanged(before, who, now)


def _open(reward: int, who: Customer, now: datetime) -> Discount:
    """The discount, if it can be had for points and by this customer, as the look-up lists it."""
    if not Discount.objects.non_polymorphic().filter(pk=reward, points_price__isnull=False).exists():
        said = f"There is no reward {reward} for points. Look the customer up again."
        raise Refused(Refusal("reward", Reason.NOT_FOUND, said))
    programme = Programme.load()
    [claim] = claims([], [reward])
    if not programme.is_active:
        raise Refused(Refusal(claim.code, Reason.PROGRAMME_INACTIVE, "The loyalty programme is switched off."))
    if refusal := no_member(who, now):
        raise Refused(refusal)
    facts_now = facts([claim], None, who.pk, store().local(now), programme, who)
    if refusal := against(claim, None, facts_now):
        raise Refused(refusal)
    if not open_to(who.pk, now).filter(pk=reward).exists():
        raise Refused(Refusal(claim.code, Reason.NOT_ELIGIBLE, "It is not for this customer, or not now."))
    budget = claim.discount.money_budget
    if budget and not facts_now.funds[budget.pk]:
        raise Refused(Refusal(claim.code, Reason.LIMIT_REACHED, "Its budget is used up."))
    return claim.discount


def _given(discount: Discount, who: Customer, key: str, now: datetime) -> Voucher:
    """A voucher of the customer's own. Raises Refused if there is none to give."""
    origin = Value(key, TextField())
    given = assign(Customer.objects.filter(pk=who.pk), discount, origin=origin, customer="pk", now=now)
    why = given.without.get(key)
    if why is not None:
        said = f"{WhyNone(why).label}. No points were taken."
        raise Refused(Refusal(discount.title, Reason.LIMIT_REACHED, said, {"why": str(why)}))
    return Voucher.objects.select_related("discount").get(origin=key)


def _must_be_usable_often_enough(discount: Discount, who: Customer) -> None:
    """Raise Refused if there are more of its vouchers by now than can be used, by all or by this customer.

    Nobody shall pay for a code that is refused afterwards. The discount is kept from others, so that two who take the
    last one at once are told apart.
    """
    if not (discount.uses_allowed or discount.uses_per_customer):
        return
    row = Discount.objects.non_polymorphic().select_for_update(no_key=True).get(pk=discount.pk)
    waiting = Voucher.objects.filter(discount=discount.pk, state=Voucher.State.ISSUED, customer__isnull=False)
    own = Q(customer=who.pk)
    there = waiting.aggregate(all=Count("pk"), own=Count("pk", filter=own))
    if row.uses_allowed and row.uses + there["all"] > row.uses_allowed:
        raise Refused(Refusal(row.title, Reason.LIMIT_REACHED, "As many have it as can use it. No points were taken."))
    used = Redemption.objects.standing().filter(own, discount=discount.pk).count()
    if row.uses_per_customer and used + there["own"] > row.uses_per_customer:
        said = "The customer has had it as often as one customer may. No points were taken."
        raise Refused(Refusal(row.title, Reason.CUSTOMER_LIMIT_REACHED, said))


def _must_be_unused(voucher: Voucher, now: datetime) -> None:
    """Raise Refused if the code was used, has ended, or is kept by a till."""
    state = Voucher.State(voucher.state)
    if state == Voucher.State.ISSUED and voucher.expires_at is not None and voucher.expires_at <= now:
        state = Voucher.State.EXPIRED
    if state in ENDED or voucher.uses:
        reason = ENDED.get(state, Reason.ALREADY_REDEEMED)
        said = f"{voucher.code} cannot be given back any more: {reason.label.lower()}."
        raise Refused(Refusal(voucher.code, reason, said, {"state": str(state)}))
    other = Hold.objects.open(now).filter(voucher=voucher).first()
    if other is not None:
        raise Refused(taken(voucher, other, now))


def _give_back_to_budget(voucher: Voucher) -> None:
    """Let somebody else have what the voucher took from its budget."""
    if voucher.budget and voucher.budget_period:
        budgets.give_back([(Wish(voucher.budget, voucher.customer_id, Decimal(1)), voucher.budget_period)])
        Voucher.objects.filter(pk=voucher.pk).update(budget=None)


def _exchanged(made: Exchange, who: Customer, now: datetime) -> Exchanged:
    return Exchanged(made, who, ledger.spendable([who.pk], now)[who.pk])
