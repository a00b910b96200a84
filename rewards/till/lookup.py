"""Who somebody at the till is: what they have, what they can use, and what is worth knowing of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import F
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KT
from django.db.models.functions import Lower

from loyaltyflow.store.clock import store
from loyaltyflow.store.customers import CustomerQuerySet
from loyaltyflow.store.intake import Context, cells
from loyaltyflow.store.models import Customer, Merge
from segments.models import Segment

from .. import ledger
from ..bill import Refusal
from ..budgets import left
from ..checks import against
from ..claims import Claim, claims
from ..discounts import Discount
from ..facts import facts
from ..offers import to_have
from ..points import Lot
from ..progress import Progress, progress
from ..vouchers import Voucher

CARD = "card"  # the source of the external ids that are numbers on cards
INSIGHTS = 4
LISTED = 20  # vouchers and offers
MICROSECOND = timedelta(microseconds=1)


def find(now: datetime, *, phone: str = "", email: str = "", card: str = "") -> list[Customer]:
    """The customers with that phone number, e-mail address or card, at most five, those who joined before others.

    What is nobody's any more leads to whom the one turned out to be that it was of. Raises ValueError if the phone
    number is none.
    """
    if card:
        return _first(Customer.objects.filter(external_ids__source=CARD, external_ids__external_id=card.strip()))
    if email:
        address = email.strip().lower()
        theirs = Customer.objects.exclude(email="").alias(address=Lower("email")).filter(address=address)
        return _first(theirs) or _turned_out(Lower(KT("was__email")), address)
    number = cells.phone(phone, Context.of(store(), now, "till"))
    theirs = Customer.objects.filter(phone=number)
    return _first(theirs) or _turned_out(KT("was__phone"), number)


def _turned_out(said: Combinable, address: str) -> list[Customer]:
    """Whom they turned out to be whose address it was before they were merged."""
    merges = Merge.objects.alias(address=said).filter(address=address)
    return _first(Customer.objects.filter(pk__in=merges.values("merged__merged_into")))


def _first(found: CustomerQuerySet) -> list[Customer]:
    return list(found.order_by(F("loyalty_joined_at").asc(nulls_last=True), "pk")[:5])


@dataclass(frozen=True, slots=True)
class Own:
    """A voucher of the customer, and why it cannot be used now if it cannot."""

    voucher: Voucher
    title: str
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that the customer can have for points."""

    reward: int  # the discount's id
    title: str
    price: int
    is_within_reach: bool


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as the till sees them."""

    customer: Customer
    at: datetime
    account: ledger.Points
    expiring: Sequence[tuple[int, date]]  # so many points, and the last day on which they can be spent
    progress: Progress
    vouchers: Sequence[Own]
    offers: Sequence[Offer]
    insights: Sequence[str]

    @property
    def worth(self) -> Decimal:
        """What the points are worth that can be spent now."""
        return self.account.spendable * store().point_value


def look_up(customer: Customer, now: datetime) -> Person:
    """What the till is told of the customer; the number of statements does not depend on how much there is."""
    account = ledger.spendable([customer.pk], now)[customer.pk]
    own = Voucher.objects.filter(Voucher.lasts(now), customer=customer, state=Voucher.State.ISSUED)
    rewards = to_have(customer.pk, now)
    if not customer.belongs(now):
        rewards = rewards.none()
    asked = claims(
        own.order_by(F("expires_at").asc(nulls_last=True), "pk")[:LISTED],
        rewards.order_by("points_price", "pk").values_list("pk", flat=True)[:LISTED],
    )
    known = facts(asked, None, customer.pk, store().local(now))
    refusals = [(claim, against(claim, None, known)) for claim in asked]
    return Person(
        customer,
        now,
        account,
        _expiring(customer, now),
        progress([customer.pk], now)[customer.pk],
        vouchers=[Own(claim.voucher, claim.discount.title, why) for claim, why in refusals if claim.voucher],
        offers=_offers(
            [claim for claim, why in refusals if claim.voucher is None and why is None], account, customer, now
        ),
        insights=_insights(customer),
    )


def _offers(open_now: Sequence[Claim], account: ledger.Points, customer: Customer, now: datetime) -> list[Offer]:
    """Those of which the budgets have something left for the customer."""
    rewards = [claim.discount for claim in open_now]
    funds = left({reward.budget for reward in rewards if reward.budget}, customer.pk, now)
    return [_offer(reward, account) for reward in rewards if funds.get(reward.budget_id or 0, 1)]


def _offer(reward: Discount, account: ledger.Points) -> Offer:
    price = reward.points_price or 0
    return Offer(reward.pk, reward.title, price, price <= account.spendable)


def _expiring(customer: Customer, now: datetime) -> list[tuple[int, date]]:
    lots = Lot.objects.to_spend(now).filter(customer=customer, expires_at__isnull=False).order_by("expires_at")
    last_days: dict[date, int] = {}
    for ends, points in lots.values_list("expires_at", "remaining"):
        on = store().local((ends or now) - MICROSECOND).date()
        last_days[on] = last_days.get(on, 0) + points
    return [(points, on) for on, points in last_days.items()]


def _insights(customer: Customer) -> list[str]:
    """The most telling segments that the customer is in: the smallest of those that tills are told of."""
    shown = Segment.objects.shown().filter(tells_tills=True, memberships__customer=customer, memberships__left_at=None)
    kept = shown.exclude(kind=Segment.Kind.DYNAMIC, is_active=False)
    return list(kept.order_by("members_now", "name").values_list("name", flat=True)[:INSIGHTS])
