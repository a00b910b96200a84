"""Vouchers and bills in plain Python: which codes a till takes, what they take off, and what goes back."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import floor

COIN = Decimal("0.01")
Bill = list[Decimal]  # what each line costs
Offs = list[tuple["Voucher", Bill]]  # what each voucher takes off each line, in turn


@dataclass(eq=False)
class Discount:
    """So much off a bill, with all that may be against it."""

    pk: int
    amount: Decimal
    combines: bool = False
    allowed: int | None = None
    per_customer: int | None = None
    min_spend: Decimal = Decimal(0)
    budget: Decimal | None = None
    uses: list["Use"] = field(default_factory=list)

    def standing(self, who: int | None = None) -> list["Use"]:
        return [use for use in self.uses if not use.is_undone and who in (None, use.who)]

    def funds(self) -> Decimal | None:
        """What its budget has left."""
        return None if self.budget is None else self.budget - sum((use.amount for use in self.standing()), Decimal(0))


@dataclass(eq=False)
class Voucher:
    pk: int
    code: str
    discount: Discount
    owner: int | None = None
    allowed: int = 1
    expires: datetime | None = None
    workflow: int | None = None
    state: str = "issued"
    uses: int = 0

    def is_over(self, now: datetime) -> bool:
        return self.expires is not None and self.expires <= now

    def against(self, who: int, bill: Bill | None, now: datetime) -> str:
        """The first reason why the customer cannot use it; empty if there is none."""
        discount = self.discount
        reasons = {
            "revoked": self.state == "revoked",
            "superseded": self.state == "superseded",
            "already_redeemed": self.state == "redeemed",
            "wrong_customer": self.owner not in (None, who),
            "expired": self.state == "expired" or self.is_over(now),
            "customer_limit_reached": _is_reached(discount.per_customer, discount.standing(who)),
            "limit_reached": _is_reached(discount.allowed, discount.standing()),
            "min_spend": bill is not None and sum(bill) < discount.min_spend,
        }
        return next((reason for reason, is_so in reasons.items() if is_so), "")


@dataclass(eq=False)
class Use:
    voucher: Voucher
    who: int
    order: str
    amount: Decimal
    is_of_sale: bool = False
    is_undone: bool = False


@dataclass(eq=False)
class Sale:
    """An order of the till: what its lines cost in the end, what it earned, and what of both went back."""

    number: str
    who: int
    asked: dict
    lines: Bill
    nets: Bill
    drawn: list = field(default_factory=list)
    spent: int = 0
    exact: list[Fraction] = field(default_factory=list)
    earned: int = 0
    taken: int = 0
    is_completed: bool = False
    is_cancelled: bool = False
    given: int = 0
    back: dict[int | None, Decimal] = field(default_factory=dict)

    @property
    def net(self) -> Decimal:
        return sum(self.nets, Decimal(0))

    @property
    def refunded(self) -> Decimal:
        return sum(self.back.values(), Decimal(0))

    @property
    def is_closed(self) -> bool:
        return self.is_cancelled or (self.refunded > 0 and self.refunded == self.net)

    def earns(self, rate: Decimal) -> int:
        self.exact = [Fraction(net) * Fraction(rate) for net in self.nets]
        self.earned = floor(sum(self.exact))
        return self.earned

    def due(self) -> int:
        """How many of the points that it earned are to be taken back in all."""
        if self.is_closed or not self.is_completed:
            return self.earned
        exact = Fraction(0)
        for line, amount in self.back.items():
            whole = sum(self.exact, Fraction(0)) if line is None else self.exact[line - 1]
            of = self.net if line is None else self.nets[line - 1]
            exact += whole * min(Fraction(amount) / Fraction(of), Fraction(1))
        return min(floor(exact), self.earned)


def spread(amount: Decimal, bill: Bill) -> Bill:
    """So much of each line, in proportion; coins left over go to the lines that were rounded down most."""
    whole = sum(bill)
    if not amount:
        return [Decimal(0) for _ in bill]
    exact = [Fraction(amount) * Fraction(line) / Fraction(whole) for line in bill]
    parts = [Decimal(floor(each * 100)) / 100 for each in exact]
    short = sorted(range(len(bill)), key=lambda line: (Fraction(parts[line]) - exact[line], line))
    for line in short[: int((amount - sum(parts)) / COIN)]:
        parts[line] += COIN
    return parts


def less(bill: Bill, off: Bill) -> Bill:
    return [line - part for line, part in zip(bill, off, strict=True)]


def judged(vouchers: list[Voucher], who: int, bill: Bill, now: datetime) -> tuple[Offs, dict[str, str], Bill]:
    """What is taken off, the reason of each code that is refused, and what is left of the bill."""
    refused, fits = {}, []
    for voucher in sorted(vouchers, key=lambda each: (each.discount.pk, each.pk)):
        if reason := voucher.against(who, bill, now) or _not_taken([], voucher, bill):
            refused[voucher.code] = reason
        else:
            fits.append(voucher)
    together = [each for each in fits if each.discount.combines]
    alone = [[each] for each in fits if not each.discount.combines]
    groups = [together, *alone] if together or not alone else alone
    taken, also_refused, left = max((_chained(group, who, bill) for group in groups), key=lambda each: _worth(each[0]))
    chosen = [voucher for voucher, _off in taken]
    for voucher in fits:
        others = [each for each in chosen if not (voucher.discount.combines and each.discount.combines)]
        if voucher not in chosen and others:
            refused[voucher.code] = "not_combinable"
    return taken, {**also_refused, **refused}, left


def _chained(vouchers: list[Voucher], who: int, bill: Bill) -> tuple[Offs, dict[str, str], Bill]:
    taken: Offs = []
    refused = {}
    for voucher in vouchers:
        if reason := _too_often(taken, voucher, who) or _not_taken(taken, voucher, bill):
            refused[voucher.code] = reason
            continue
        off = spread(min(voucher.discount.amount, sum(bill)), bill)
        taken.append((voucher, off))
        bill = less(bill, off)
    return taken, refused, bill


def _not_taken(taken: Offs, voucher: Voucher, bill: Bill) -> str:
    """Why it takes nothing off what the others left; empty if it does."""
    if not sum(bill):
        return "not_combinable" if taken else "product_not_in_bill"
    funds = voucher.discount.funds()
    if funds is None:
        return ""
    funds -= sum((sum(off) for other, off in taken if other.discount is voucher.discount), Decimal(0))
    return "limit_reached" if min(voucher.discount.amount, sum(bill)) > funds else ""


def _too_often(taken: Offs, voucher: Voucher, who: int) -> str:
    """Whether the codes of the same discount on the bill are all the uses that are left of it."""
    discount = voucher.discount
    times = sum(other.discount is discount for other, _off in taken)
    reasons = [
        ("customer_limit_reached", discount.per_customer, discount.standing(who)),
        ("limit_reached", discount.allowed, discount.standing()),
    ]
    reached = (reason for reason, limit, uses in reasons if limit is not None and len(uses) + times >= limit)
    return next(reached, "")


def _worth(taken: Offs) -> tuple[Decimal, int]:
    return sum((sum(off, Decimal(0)) for _voucher, off in taken), Decimal(0)), len(taken)


def _is_reached(limit: int | None, uses: list[Use]) -> bool:
    return limit is not None and len(uses) >= limit
