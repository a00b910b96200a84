"""Points and vouchers that a till keeps for a customer for some minutes, so that no other till can take them."""

from datetime import datetime, timedelta

from django.db.models import F

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer

from .. import codes, ledger
from ..bill import Reason, Refusal, Refused
from ..checks import against
from ..claims import claims
from ..facts import facts
from ..holds import Hold
from ..programme import Programme
from ..vouchers import Voucher
from .asking import known, locked_account, no_member


def hold(
    number: str,
    now: datetime,
    *,
    customer: int,
    points: int = 0,
    code: str = "",
    seconds: int | None = None,
    source: str = "till",
    store_location: str = "",
    till: str = "",
) -> Hold:
    """The hold of that number: made, or there already if the same was asked for before.

    It ends after so many seconds, at the latest after as many minutes as the programme says. Raises Refused if the
    points or the voucher cannot be had.
    """
    programme = Programme.load()
    who = locked_account(known(customer))
    before = Hold.objects.filter(source=source, external_id=number).select_related("voucher").first()
    if before is not None:
        return _same(before, who.pk, points, code)
    if not programme.is_active:
        raise Refused(Refusal(code or "points", Reason.PROGRAMME_INACTIVE, "The loyalty programme is switched off."))
    if points:
        _must_have(who, points, now)
    voucher = _voucher(code, who.pk, now) if code else None
    longest = timedelta(minutes=programme.hold_minutes)
    lasts = min(timedelta(seconds=seconds), longest) if seconds else longest
    return Hold.objects.create(
        source=source,
        external_id=number,
        customer=who,
        points=points,
        voucher=voucher,
        is_single=voucher is not None and voucher.uses_allowed == 1,
        store_location=store_location,
        till=till,
        created_at=now,
        expires_at=now + lasts,
    )


def _same(before: Hold, customer: int, points: int, code: str) -> Hold:
    held = before.voucher.key if before.voucher else ""
    if (known(before.customer_id).pk, before.points, held) != (customer, points, codes.key(code)):
        raise Refused(
            Refusal(
                before.external_id,
                Reason.NUMBER_TAKEN,
                f"There is another hold with the number {before.external_id}. Take a new number for each hold.",
                {"customer": before.customer_id, "points": before.points, "voucher": str(before.voucher or "")},
            )
        )
    return before


def _must_have(who: Customer, points: int, now: datetime) -> None:
    """Raise Refused if the customer cannot spend so many points."""
    if refusal := no_member(who, now):
        raise Refused(refusal)
    account = ledger.spendable([who.pk], now)[who.pk]
    if points > account.spendable:
        raise Refused(ledger.too_few(points, account))


def _voucher(code: str, customer: int, now: datetime) -> Voucher:
    """The voucher, locked, if the customer may use it and nobody else holds it, whatever will be on the bill."""
    found = Voucher.objects.select_for_update(no_key=True).filter(key=codes.key(code)).first()
    voucher = found or Voucher.read(code)
    other = Hold.objects.open(now).filter(voucher=voucher, is_single=True).first()
    if other is not None:
        raise Refused(taken(voucher, other, now))
    Hold.objects.filter(voucher=voucher, ended_at=None, expires_at__lte=now).update(ended_at=F("expires_at"))
    [claim] = claims([voucher])
    if refusal := against(claim, None, facts([claim], None, customer, store().local(now))):
        raise Refused(refusal)
    return voucher


def taken(voucher: Voucher, by: Hold, now: datetime) -> Refusal:
    """That another till keeps the voucher."""
    where = " at ".join(filter(None, [by.till, by.store_location])) or "another till"
    minutes = max(1, -(-int((by.expires_at - now).total_seconds()) // 60))
    return Refusal(
        voucher.code,
        Reason.LOCKED_BY_OTHER_TILL,
        f"{voucher.code} is held at {where} for up to {minutes} more minute{'s' if minutes > 1 else ''}.",
        {"till": by.till, "store": by.store_location, "until": by.expires_at.isoformat()},
    )


def release(number: str, now: datetime, *, source: str = "till") -> Hold:
    """The hold of that number, which keeps nothing any more; raises Refused if there is none."""
    customer = Hold.objects.filter(source=source, external_id=number).values_list("customer", flat=True).first()
    if customer is None:
        raise Refused(Refusal(number, Reason.NOT_FOUND, f"There is no hold with the number {number}."))
    ledger.lock([customer])
    Hold.objects.filter(source=source, external_id=number, ended_at=None).update(ended_at=now)
    return Hold.objects.select_related("voucher").get(source=source, external_id=number)


def end(now: datetime) -> dict[str, int]:
    """How many holds were ended because their time is over; they have kept nothing since then."""
    return {"ended": Hold.objects.filter(ended_at=None, expires_at__lte=now).update(ended_at=F("expires_at"))}
