"""Whether a discount can be had on a bill: every reason that is against it, the first of which is told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from loyaltyflow.store.clock import store
from loyaltyflow.store.templatetags.figures import count, day, moment, money
from loyaltyflow.words import listed, number, plain

from . import budgets
from .bill import Bill, Off, Reason, Refusal, Refused
from .budgets import Budget
from .claims import Claim
from .discounts import Discount
from .facts import Facts, facts
from .vouchers import Redemption, Voucher

MICROSECOND = timedelta(microseconds=1)


def checked(
    claim: Claim, bill: Bill, customer_id: int | None, now: datetime, taken: Sequence[tuple[Claim, Off]] = ()
) -> Off:
    """What the claim takes off the bill besides what the others have `taken`. Raises Refused; writes nothing."""
    known = facts([claim], bill.order, customer_id, store().local(now))
    must_be_allowed(claim, bill, known)
    must_combine(claim, [other for other, _off in taken])
    left = bill
    for _other, off in taken:
        left = left.less(off)
    return taken_off(claim, left, known.funds, [other for other, _off in taken])


def tried(claim: Claim, bill: Bill, now: datetime) -> Off:
    """What the claim takes off a sample bill, whoever it is for and whenever it is. Raises Refused; writes nothing."""
    for refusal in _of_bill(claim.discount, bill):
        raise Refused(refusal)
    budget = claim.discount.money_budget
    return taken_off(claim, bill, budgets.left([budget] if budget else [], None, now))


def must_be_allowed(claim: Claim, bill: Bill, known: Facts) -> None:
    """Raise Refused with the first reason that is against the claim, whatever else is on the bill."""
    if refusal := against(claim, bill, known):
        raise Refused(refusal)


def against(claim: Claim, bill: Bill | None, known: Facts) -> Refusal | None:
    """The first reason that is against the claim on the bill, or without one, on any bill; None if there is none."""
    refusal = next(_reasons(claim, bill, known), None)
    return replace(refusal, code=claim.code) if refusal else None


def must_have_uses_left(claim: Claim, others: Sequence[Claim], known: Facts) -> None:
    """Raise Refused if the others on the bill are the last uses of the same discount that there may be."""
    if refusal := next(
        _of_limits(claim.discount, known, sum(other.discount == claim.discount for other in others)), None
    ):
        raise Refused(replace(refusal, code=claim.code))


def must_combine(claim: Claim, others: Sequence[Claim]) -> None:
    """Raise Refused if the claim and the others cannot be used on the same bill."""
    against = others if not claim.discount.combines else [other for other in others if not other.discount.combines]
    if against:
        names = plain(listed([other.code for other in against], "and"))
        raise Refused(
            Refusal(claim.code, Reason.NOT_COMBINABLE, f"It cannot be used together with {names} on one bill.")
        )


def taken_off(claim: Claim, left: Bill, funds: Mapping[int, Decimal], others: Sequence[Claim] = ()) -> Off:
    """What the claim takes off what is left of the bill, within its budget's funds. Raises Refused if that is nothing.

    `funds` says what is left of each budget.
    """
    try:
        off = claim.discount.off(left)
    except Refused as refused:
        raise Refused(replace(refused.refusal, code=claim.code)) from refused
    if off.is_nothing:
        because = f" after {plain(listed([other.code for other in others], 'and'))}" if others else ""
        reason = Reason.NOT_COMBINABLE if others else Reason.PRODUCT_NOT_IN_BILL
        raise Refused(Refusal(claim.code, reason, f"There is nothing left to take it off{because}."))
    return _within_budget(claim, off, left, funds)


def _within_budget(claim: Claim, off: Off, bill: Bill, funds: Mapping[int, Decimal]) -> Off:
    """As much of it as the discount's budget has left. Raises Refused if that is too little."""
    budget = claim.discount.money_budget
    if budget is None or off.total <= funds[budget.pk]:
        return off
    left = funds[budget.pk]
    if budget.behaviour == Budget.Behaviour.DYNAMIC and left:
        return off.cut_to(left, bill)
    said = f"Its budget has only {money(left)} left." if left else "Its budget is used up."
    raise Refused(Refusal(claim.code, Reason.LIMIT_REACHED, said, {"left": str(left)}))


def _reasons(claim: Claim, bill: Bill | None, known: Facts) -> Iterator[Refusal]:
    """All that is against the claim, the weightiest first."""
    discount, voucher = claim.discount, claim.voucher
    if not known.programme.is_active:
        yield _refusal(Reason.PROGRAMME_INACTIVE, "The loyalty programme is switched off.")
    if voucher:
        yield from _of_voucher(voucher, known)
        if discount.is_for_next_order and bill and bill.order and voucher.order_id == bill.order:
            yield _refusal(Reason.SAME_ORDER, "It came with this very order and can be used from the next one on.")
    yield from _of_time(discount, known)
    if voucher is None or voucher.pk not in known.held:
        yield from _of_customer(discount, known)
    if discount.is_for_first_order and known.orders:
        said = f"It is for a first order only. {known.name} has {number(known.orders, 'order')}."
        yield Refusal("", Reason.NOT_FIRST_ORDER, said, {"orders": known.orders})
    yield from _of_limits(discount, known)
    if bill:
        yield from _of_bill(discount, bill)


def _of_voucher(voucher: Voucher, known: Facts) -> Iterator[Refusal]:
    """What is against the voucher itself."""
    customer = known.customer.pk if known.customer else None
    if voucher.state == Voucher.State.REVOKED:
        yield _refusal(Reason.REVOKED, f"It was taken back{f': {voucher.note}' if voucher.note else ''}.")
    if voucher.state == Voucher.State.SUPERSEDED:
        yield _refusal(Reason.SUPERSEDED, "A newer voucher has taken its place.")
    if voucher.state == Voucher.State.REDEEMED:
        yield _already_redeemed(known.last_uses.get(voucher.pk), known)
    if voucher.customer_id and voucher.customer_id != customer:
        look_up = "" if customer else " Look the customer up first."
        yield _refusal(Reason.WRONG_CUSTOMER, f"It belongs to {'another' if customer else 'one'} customer.{look_up}")
    if voucher.state == Voucher.State.EXPIRED or (voucher.expires_at and voucher.expires_at <= known.now):
        yield _expired(voucher.expires_at)
    if voucher.valid_from and voucher.valid_from > known.now:
        yield _not_started(voucher.valid_from)


def _already_redeemed(use: Redemption | None, known: Facts) -> Refusal:
    """When and where the voucher was used; by whom and for which order, only if by the customer who asks."""
    if use is None:
        return _refusal(Reason.ALREADY_REDEEMED, "It was used already.")
    current: dict[str, Any] = {"redeemed_at": use.redeemed_at.isoformat()}
    current |= {key: value for key in ("store_location", "till") if (value := getattr(use, key))}
    place = ", ".join(value for value in (use.store_location, use.till) if value)
    said = f"It was used{f' at {place}' if place else ''} on {moment(use.redeemed_at)}"
    if known.customer and use.customer_id == known.customer.pk:
        current |= {"order": use.order.external_id}
        said += f" by {known.name}, for order {use.order.external_id}"
    return Refusal("", Reason.ALREADY_REDEEMED, f"{said}.", current)


def _of_time(discount: Discount, known: Facts) -> Iterator[Refusal]:
    """What is against the discount at this moment."""
    if not discount.is_active:
        yield _refusal(Reason.PROGRAMME_INACTIVE, "It is switched off.")
    if discount.ends_at and discount.ends_at <= known.now:
        yield _expired(discount.ends_at)
    if discount.starts_at and discount.starts_at - timedelta(hours=known.early_hours) > known.now:
        yield _not_started(discount.starts_at)
    if not discount.is_open(known.now):
        yield _refusal(Reason.TIME_NOT_ALLOWED, f"It can be used {discount.hours()} only.")


def _of_customer(discount: Discount, known: Facts) -> Iterator[Refusal]:
    """Why it is not for this customer."""
    if known.customer is None:
        if discount.is_personal:
            yield _refusal(Reason.NOT_ELIGIBLE, "It is not for everybody. Look the customer up first.")
        return
    if discount.only_tiers and known.tier not in discount.only_tiers:
        tiers = plain(listed(discount.tiers.all()))
        yield _refusal(Reason.NOT_ELIGIBLE, f"It is for members of {tiers} only.")
    if discount.only_segments and known.segments.isdisjoint(discount.only_segments):
        names = plain(listed([f"“{segment}”" for segment in discount.segments.all()]))
        yield _refusal(Reason.NOT_ELIGIBLE, f"It is for customers of the segment {names} only.")


def _of_limits(discount: Discount, known: Facts, here: int = 0) -> Iterator[Refusal]:
    """Whether it was used as often as it may be, with the uses `here`, on this very bill."""
    mine, allowed = known.used.get(discount.pk, 0), discount.uses_per_customer
    if allowed is not None and mine + here >= allowed:
        now_too = "with this bill " if here else ""
        said = f"Each customer can use it {_times(allowed)}, and {now_too}{known.name} has."
        yield Refusal("", Reason.CUSTOMER_LIMIT_REACHED, said, {"uses": mine, "allowed": allowed})
    if discount.uses_allowed is not None and discount.uses + here >= discount.uses_allowed:
        has = "with this bill it has" if here else "has"
        said = f"It could be used {_times(discount.uses_allowed)} in all, and {has} been."
        yield Refusal("", Reason.LIMIT_REACHED, said, {"uses": discount.uses, "allowed": discount.uses_allowed})


def _of_bill(discount: Discount, bill: Bill) -> Iterator[Refusal]:
    """Why it is not for this bill."""
    if discount.stores and bill.store_location not in discount.stores:
        yield _refusal(Reason.STORE_NOT_ALLOWED, f"It can be used at {plain(listed(discount.stores))} only.")
    spent = discount.spent_on(bill)
    if discount.min_spend and spent < discount.min_spend:
        missing = discount.min_spend - spent
        current = {"missing": str(missing), "min_spend": str(discount.min_spend), "spent": str(spent)}
        yield Refusal("", Reason.MIN_SPEND, f"It needs {money(missing)} more on this bill.", current)
    if not discount.is_met_by(bill):
        yield _refusal(Reason.PRODUCT_NOT_IN_BILL, f"It needs {discount.needed_goods()} on this bill.")


def _expired(at: datetime | None) -> Refusal:
    if at is None:
        return _refusal(Reason.EXPIRED, "It has expired.")
    last = f"through {day(at - MICROSECOND)}" if _is_midnight(at) else f"until {moment(at)}"
    return Refusal("", Reason.EXPIRED, f"It could be used {last}.", {"expired_at": at.isoformat()})


def _not_started(at: datetime) -> Refusal:
    first = day(at) if _is_midnight(at) else moment(at)
    return Refusal("", Reason.NOT_STARTED, f"It can be used from {first} on.", {"starts_at": at.isoformat()})


def _is_midnight(at: datetime) -> bool:
    return store().local(at).time() == time.min


def _times(allowed: int) -> str:
    return {1: "once", 2: "twice"}.get(allowed, f"{count(allowed)} times")


def _refusal(reason: Reason, detail: str) -> Refusal:
    return Refusal("", reason, detail)
