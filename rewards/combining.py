"""Several discounts on one bill: which of them, in which turn, whatever the order in which their codes are typed."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from math import prod

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer

from .bill import ZERO, Bill, Off, Refusal, Refused
from .checks import must_be_allowed, must_combine, must_have_uses_left, taken_off
from .claims import Claim
from .facts import Facts, facts
from .programme import Programme


@dataclass(frozen=True)
class Judged:
    """What comes off a bill, in turn, and what is refused."""

    taken: tuple[tuple[Claim, Off], ...]
    refused: tuple[Refusal, ...]
    left: Bill  # with what is off taken from its lines and its shipping
    combination: str = Programme.Combination.HIGHEST

    @property
    def total(self) -> Decimal:
        return sum((off.total for _claim, off in self.taken), ZERO)

    @property
    def factor(self) -> Decimal:
        """How many times the points the bill earns."""
        factors = [off.factor for _claim, off in self.taken]
        if self.combination == Programme.Combination.MULTIPLY:
            return prod(factors, start=Decimal(1))
        return max(factors, default=Decimal(1))


def judged(
    claims: Sequence[Claim],
    bill: Bill,
    customer_id: int | None,
    now: datetime,
    held: Collection[int] = (),
    programme: Programme | None = None,
    customer: Customer | None = None,
) -> Judged:
    """What of the claims can be had on the bill; the same whatever their order. Writes nothing.

    If some do not go together, the customer has those that take off most. Whom the vouchers in `held` are for was asked
    before. The number of statements does not depend on that of the claims.
    """
    rest_on = facts(claims, bill.order, customer_id, store().local(now), programme, customer)
    known = replace(rest_on, held=frozenset(held))

    def must_be_had(claim: Claim) -> None:
        must_be_allowed(claim, bill, known)
        taken_off(claim, bill, known.funds)

    allowed, refused = _sorted_out(sorted(claims, key=lambda each: each.place), must_be_had)
    best = max(
        (_chained(group, bill, known) for group in _groups(allowed)),
        key=lambda each: (each.total, len(each.taken)),
    )
    together = [claim for claim, _off in best.taken]
    _, apart = _sorted_out(
        [claim for claim in allowed if claim not in together], lambda claim: must_combine(claim, together)
    )
    return Judged(best.taken, (*refused, *apart, *best.refused), best.left, known.programme.combination)


def _sorted_out(claims: Iterable[Claim], judge: Callable[[Claim], None]) -> tuple[list[Claim], list[Refusal]]:
    """The claims that pass the judge, and why the others do not."""
    passed, refused = [], []
    for claim in claims:
        try:
            judge(claim)
            passed.append(claim)
        except Refused as refusal:
            refused.append(refusal.refusal)
    return passed, refused


def _groups(claims: Sequence[Claim]) -> list[list[Claim]]:
    """The ways to choose of them what goes together: all that combine, or one of the others alone."""
    if len(claims) < 2:
        return [list(claims)]
    alone = [[claim] for claim in claims if not claim.discount.combines]
    together = [claim for claim in claims if claim.discount.combines]
    return [together, *alone] if together else alone


def _chained(claims: Sequence[Claim], bill: Bill, known: Facts) -> Judged:
    """Each in turn taken off what those before it left."""
    taken: list[tuple[Claim, Off]] = []
    refused: list[Refusal] = []
    left, funds = bill, dict(known.funds)
    for claim in claims:
        others = [other for other, _off in taken]
        try:
            must_have_uses_left(claim, others, known)
            off = taken_off(claim, left, funds, others)
        except Refused as refusal:
            refused.append(refusal.refusal)
            continue
        taken.append((claim, off))
        if budget := claim.discount.money_budget:
            funds[budget.pk] -= off.total
        left = left.less(off)
    return Judged(tuple(taken), tuple(refused), left)
