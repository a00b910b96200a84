"""What a bill comes to with codes and points, and what it earns: the same for a quote and for a purchase."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from functools import cached_property

from loyaltyflow import planned
from loyaltyflow.store.clock import store

from .. import codes, earning, ledger
from ..bill import ZERO, Bill, Off, Reason, Refusal, spread
from ..claims import Claim, claims
from ..combining import judged
from ..earning import Earned
from ..holds import Hold
from ..vouchers import Voucher
from .asking import Ask, no_member
from .holds import taken

# The open holds of others on vouchers that can be used once.
OTHERS = """
voucher_id = ANY(%(vouchers)s::bigint[]) AND is_single AND ended_at IS NULL AND expires_at > %(now)s AND id <> %(hold)s
"""


@dataclass(frozen=True)
class Quote:
    """What is taken off a bill and why not more, what is paid by points, and what it earns."""

    ask: Ask
    taken: tuple[tuple[Claim, Off], ...]
    refusals: tuple[Refusal, ...]
    left: Bill  # after discounts and points
    points: int
    by_points: dict[int, Decimal]  # line → so much of it
    factor: Decimal  # what the codes multiply the points by that the rest of the bill earns
    earned: tuple[Earned, ...]
    account: ledger.Points  # before the purchase, without the till's own hold

    @cached_property
    def off_lines(self) -> dict[int, Decimal]:
        """What the discounts take off each line."""
        offs = [off.lines for _claim, off in self.taken]
        return {line.number: sum((off.get(line.number, ZERO) for off in offs), ZERO) for line in self.ask.bill.lines}

    @property
    def net(self) -> Decimal:
        """What is paid for the goods."""
        return self.left.goods

    @property
    def worth(self) -> Decimal:
        """What the points pay."""
        return sum(self.by_points.values(), ZERO)

    @property
    def discount(self) -> Decimal:
        """What the discounts take off the goods."""
        return sum(self.off_lines.values(), ZERO)

    @property
    def to_pay(self) -> Decimal:
        return self.net + self.left.shipping + self.ask.tax

    @property
    def to_earn(self) -> int:
        return sum(each.points for each in self.earned)


def quote(ask: Ask, now: datetime) -> Quote:
    """What the bill comes to at this moment; writes nothing, and a purchase at the same moment comes to the same."""
    priced = price(ask, vouchers(ask), held(ask, now), now)
    return replace(priced, earned=earns(priced, now))


def vouchers(ask: Ask, for_update: bool = False) -> dict[str, Voucher]:
    """The vouchers of the codes that are known, by the code as it was asked; locked in the order of their ids."""
    if not ask.codes:
        return {}
    where = f"key = ANY(%s) ORDER BY id{' FOR NO KEY UPDATE' if for_update else ''}"
    found = {each.key: each for each in planned.read(Voucher, where, [[codes.key(code) for code in ask.codes]])}
    return {code: found[key] for code in ask.codes if (key := codes.key(code)) in found}


def held(ask: Ask, now: datetime) -> Hold | None:
    """The hold that the till has made for this customer, while it lasts."""
    if not ask.hold or ask.customer is None:
        return None
    return Hold.objects.open(now).filter(source=ask.source, external_id=ask.hold, customer=ask.customer).first()


def price(ask: Ask, found: dict[str, Voucher], hold: Hold | None, now: datetime) -> Quote:
    """What the bill comes to, without what it earns."""
    customer = ask.customer.pk if ask.customer else None
    mine = hold.voucher_id if hold else None
    others = _kept_by_others(found, hold, now)
    free = {code: voucher for code, voucher in found.items() if voucher.pk not in others}
    asked = claims(free.values())
    judgement = judged(asked, ask.bill, customer, now, [mine] if mine else [], ask.programme, ask.customer)
    refused = [*judgement.refused, *(taken(each, others[each.pk], now) for each in found.values() if each.pk in others)]
    refused += [_unknown(code) for code in ask.codes if code not in found]
    account = ledger.spendable([customer], now)[customer] if customer else ledger.Points()
    account = replace(account, held=account.held - (hold.points if hold else 0))
    points, by_points, too_many = _paid_by_points(ask, judgement.left, account, now)
    left = judgement.left.less(Off(lines=by_points))
    return Quote(ask, judgement.taken, (*refused, *too_many), left, points, by_points, judgement.factor, (), account)


def earns(priced: Quote, now: datetime) -> tuple[Earned, ...]:
    """What the rest of the bill earns, if the customer is a member."""
    ask = priced.ask
    if ask.customer is None:
        return ()
    earned = earning.quoted(priced.left, ask.customer.pk, priced.factor, now, ask.programme)
    return in_turn(each for each in earned if each.points)


def in_turn(earned: Iterable[Earned]) -> tuple[Earned, ...]:
    """What a bill earns, in the order of its rules."""
    return tuple(sorted(earned, key=lambda each: each.rule))


def _kept_by_others(found: dict[str, Voucher], hold: Hold | None, now: datetime) -> dict[int, Hold]:
    """The holds of other tills on vouchers that can be used once, by voucher."""
    if not found:
        return {}
    wanted = [voucher.pk for voucher in found.values()]
    others = planned.read(Hold, OTHERS, {"vouchers": wanted, "now": now, "hold": hold.pk if hold else 0})
    return {each.voucher_id: each for each in others if each.voucher_id}


def _unknown(code: str) -> Refusal:
    return Refusal(code, Reason.NOT_FOUND, f"The code {code} is not known. Read it again, sign by sign.")


def _paid_by_points(
    ask: Ask, left: Bill, account: ledger.Points, now: datetime
) -> tuple[int, dict[int, Decimal], Sequence[Refusal]]:
    """How many points are used, what they pay of each line, and why not as many as were asked for.

    They pay whole coins: what is worth less than one is not taken.
    """
    if not ask.points:
        return 0, {}, ()
    if refusal := _no_points(ask, now):
        return 0, {}, (refusal,)
    if ask.points > account.spendable:
        return 0, {}, (ledger.too_few(ask.points, account),)
    value = store().point_value
    coin = Decimal(1).scaleb(-left.places)
    points = min(ask.points, int((left.goods / value).to_integral_value(ROUND_FLOOR)))
    worth = (points * value).quantize(coin, ROUND_DOWN)
    points = int((worth / value).to_integral_value(ROUND_CEILING))
    return points, spread(worth, left.lines, left.places), ()


def _no_points(ask: Ask, now: datetime) -> Refusal | None:
    customer = ask.customer
    if customer is None:
        return Refusal("points", Reason.NOT_ELIGIBLE, "Whose points? Look the customer up first.")
    if not ask.programme.is_active:
        return Refusal("points", Reason.PROGRAMME_INACTIVE, "The loyalty programme is switched off.")
    return no_member(customer, now)
