"""What a till is told of what was done, as plain values."""

from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Order

from ..adjustments import Adjustment
from ..bill import smallest_coin
from ..holds import Hold
from ..ledger import spendable
from ..progress import Progress
from ..vouchers import Redemption
from .commit import Sale
from .exchange import Exchanged
from .lookup import Own, Person
from .refunds import Undone, status
from .telling import balance, money, refusal


def sale(made: Sale) -> dict[str, Any]:
    """What was bought, and how it stands now."""
    return {**made.told, "balance_after": balance(made.account), "order": order(made.order)}


def order(made: Order) -> dict[str, Any]:
    """How far an order is."""
    places = smallest_coin(store().currency)
    return {
        "id": made.pk,
        "external_id": made.external_id,
        "status": status(made),
        "net": money(made.net, places),
        "refunded": money(made.refunded, places),
    }


def undone(made: Undone) -> dict[str, Any]:
    """What a refund or a cancelled order came to."""
    return {
        "order": order(made.order),
        "external_id": made.number,
        "amount": money(made.amount, smallest_coin(store().currency)),
        "points_taken_back": made.taken_back,
        "points_given_back": made.given_back,
        "codes_given_back": list(made.codes),
        "balance_after": balance(made.account),
    }


def hold(made: Hold, now: datetime) -> dict[str, Any]:
    """What is kept, and until when."""
    return {
        "external_id": made.external_id,
        "customer": made.customer_id,
        "points": made.points,
        "voucher": made.voucher.code if made.voucher else "",
        "expires_at": _moment(made.expires_at),
        "status": "open" if made.ended_at is None and made.expires_at > now else "ended",
    }


def use(made: Redemption, word: str) -> dict[str, Any]:
    """That a code was used, or is no longer."""
    return {
        "code": made.voucher.code if made.voucher else made.discount.title,
        "status": word,
        "order": made.order.external_id,
        "amount": money(made.amount, smallest_coin(store().currency)),
    }


def exchanged(done: Exchanged) -> dict[str, Any]:
    """A reward for points: its code, what was paid, and whether it was given back."""
    made, voucher = done.exchange, done.exchange.voucher
    return {
        "external_id": made.external_id,
        "customer": done.customer.pk,
        "reward": voucher.discount_id,
        "title": voucher.discount.title,
        "points": made.points,
        "code": voucher.code,
        "expires_at": _moment(voucher.expires_at) if voucher.expires_at else None,
        "status": "cancelled" if made.cancelled_at else "taken",
        "balance_after": balance(done.account),
    }


def person(known: Person) -> dict[str, Any]:
    """Who a customer is and what they have."""
    customer, account = known.customer, known.account
    places = smallest_coin(store().currency)
    return {
        "customer": {
            "id": customer.pk,
            "name": str(customer),
            "is_member": customer.belongs(known.at),
            "email": customer.email,
            "phone": customer.phone,
            "joined_at": _moment(customer.loyalty_joined_at) if customer.loyalty_joined_at else None,
        },
        "balance": {
            **balance(account),
            "held": account.held,
            "owed": account.owed,
            "worth": str(known.worth.quantize(Decimal(1).scaleb(-places), ROUND_DOWN)),
            "expiring": [{"points": points, "on": on.isoformat()} for points, on in known.expiring],
        },
        "tier": _tier(known.progress),
        "vouchers": [_own(each) for each in known.vouchers],
        "offers": [
            {
                "reward": each.reward,
                "title": each.title,
                "points_price": each.price,
                "is_within_reach": each.is_within_reach,
            }
            for each in known.offers
        ],
        "insights": list(known.insights),
    }


def _tier(progress: Progress) -> dict[str, Any]:
    """The tier, and what is missing to the next one, in words as well."""
    return {
        "name": progress.tier.name if progress.tier else "",
        "benefits": list(progress.tier.benefits) if progress.tier else [],
        "content_url": progress.page,
        "next": progress.next.name if progress.next else "",
        "missing": f"{progress.missing.normalize():f}" if progress.next else "",
        "in_words": str(progress),
    }


def _own(each: Own) -> dict[str, Any]:
    ends = each.voucher.expires_at
    return {
        "code": each.voucher.code,
        "title": each.title,
        "expires_at": _moment(ends) if ends else None,
        "fits": each.refusal is None,
        "refusal": refusal(each.refusal) if each.refusal else None,
    }


def _moment(at: datetime) -> str:
    return store().local(at).isoformat()


def adjustment(made: Adjustment, number: str, now: datetime) -> dict[str, Any]:
    """Points that were given or taken by hand, or wait for approval."""
    account = spendable([made.customer_id], now)[made.customer_id]
    return {
        "external_id": number,
        "customer": made.customer_id,
        "points": made.points,
        "status": str(made.state),
        "balance_after": balance(account),
    }
