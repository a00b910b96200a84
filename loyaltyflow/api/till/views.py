"""The addresses that tills call: look up, quote, hold, commit, refund, cancel."""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from typing import Any, ClassVar, cast

from django.core.exceptions import ValidationError as Invalid
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import NotFound, ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from loyaltyflow.api.body import Body, BodyParser
from loyaltyflow.api.errors import SeveralFound, invalid
from loyaltyflow.api.once import NothingDone, Reply, key_of, once
from loyaltyflow.guesses import count
from loyaltyflow.models import ApiKey
from rewards import till
from rewards.adjustments import AdjustmentReason, adjust
from rewards.bill import ZERO, Reason, Refusal, Refused
from rewards.till import outcomes, telling, uses
from rewards.till.asking import known
from rewards.till.refunds import Part

from . import asked, guesses
from .describing import described
from .fields import Strict

Said = dict[str, Any]
Verb = Callable[[Said, datetime], dict[str, Any]]


class TillView(APIView):
    """What all of them have in common: a key for tills, and a body that is checked to the last field."""

    scope: ClassVar[str] = ApiKey.Scope.TILL
    parser_classes = [BodyParser]
    writes: ClassVar[bool] = True  # else only the answer is kept, which may be lost with the machine

    @property
    def key(self) -> ApiKey:
        return cast(ApiKey, self.request.auth)

    def answer(self, request: Request, shape: type[Strict] | None, verb: Verb) -> HttpResponse:
        """The answer of the verb to what was asked, once for each Idempotency-Key; a refusal is an answer as well."""
        key_of(request)
        if shape is None:
            return once(request, lambda: self._reply(dict, verb))
        if not isinstance(request.data, Body):
            raise ParseError("The body is empty; send an object in JSON.")
        body = request.data.value()
        return once(request, lambda: self._reply(lambda: _checked(shape, body), verb))

    def _reply(self, said_in: Callable[[], Said], verb: Verb) -> Reply:
        now, said = timezone.now(), {}
        try:
            said = said_in()
            if self.codes(said):
                guesses.must_be_few(self.key, said.get("customer"), now)
            told = verb(said, now)
        except ValidationError as wrong:
            fields = invalid(wrong.detail)
            raise NothingDone(lambda: Reply(400, fields)) from None
        except Refused as refused:
            refusal = refused.refusal
            raise NothingDone(lambda: self._refused(said, refusal, now)) from None
        self._count_guesses(said, told.get("refusals", []), now)
        return Reply(200, told, is_lasting=self.writes)

    def _refused(self, said: Said, refusal: Refusal, now: datetime) -> Reply:
        told = {"error": telling.refusal(refusal)}
        self._count_guesses(said, [told["error"]], now)
        return Reply(404 if refusal.reason == Reason.NOT_FOUND else 409, told)

    def codes(self, said: Said) -> list[str]:
        """The codes that are asked about."""
        return [*said.get("codes", []), *([said["voucher"]] if "voucher" in said else [])]

    def _count_guesses(self, said: Said, refusals: list[dict[str, Any]], now: datetime) -> None:
        unknown = [each for each in refusals if each["reason"] == Reason.NOT_FOUND and each["code"] in self.codes(said)]
        if unknown:
            count(self.key, said.get("customer"), len(unknown), now)

    def ask(self, said: Said, now: datetime) -> till.Ask:
        """The bill and what is wanted for it."""
        bill = said["bill"]
        return till.ask(
            map(_item, bill["lines"]),
            now,
            customer=said.get("customer"),
            codes=said.get("codes", ()),
            points=said.get("points_to_use", 0),
            tax=bill.get("tax", ZERO),
            shipping=bill.get("shipping", ZERO),
            hold=said.get("hold", ""),
            source=self.key.source,
            store_location=said.get("store", ""),
            till=said.get("till", ""),
        )


@described("look_up", "Look a customer up", asked.LookupAsked)
class LookupView(TillView):
    """Who it is: points, tier, vouchers, offers and what is worth knowing; by phone, e-mail or card."""

    def get(self, request: Request) -> Response:
        now = timezone.now()
        said = _checked(asked.LookupAsked, request.query_params.dict())
        try:
            found = till.find(now, **said)
        except ValueError as wrong:
            raise ValidationError({"phone": [str(wrong)]}) from None
        if not found:
            raise NotFound("Nobody is known by that. Read it again, or ask for another way to find them.")
        if len(found) > 1:
            raise SeveralFound([{"id": each.pk, "name": str(each)} for each in found])
        return Response(outcomes.person(till.look_up(found[0], now)))


@described("quote", "Quote a bill", asked.QuoteAsked)
class QuoteView(TillView):
    """What a bill comes to with codes and points, and what it earns. Nothing is taken: ask as often as you like."""

    writes = False

    def post(self, request: Request) -> HttpResponse:
        return self.answer(request, asked.QuoteAsked, self.quote)

    def quote(self, said: Said, now: datetime) -> dict[str, Any]:
        quoted = till.quote(self.ask(said, now), now)
        return {**telling.told(quoted), "balance_after": telling.after(quoted)}


@described("hold", "Hold points or a voucher", asked.HoldAsked)
class HoldsView(TillView):
    """Keep points or a voucher for a customer for some minutes, so that no other till can take them."""

    def post(self, request: Request) -> HttpResponse:
        return self.answer(request, asked.HoldAsked, self.hold)

    def hold(self, said: Said, now: datetime) -> dict[str, Any]:
        kept = till.hold(
            said["external_id"],
            now,
            customer=said["customer"],
            points=said.get("points", 0),
            code=said.get("voucher", ""),
            seconds=said.get("expires_in"),
            source=self.key.source,
            **_place(said),
        )
        return outcomes.hold(kept, now)


@described("release", "Release a hold")
class HoldView(TillView):
    """Let go of what was held. Asked for again it is the same."""

    def delete(self, request: Request, external_id: str) -> HttpResponse:
        return self.answer(request, None, lambda said, now: self.release(number_in(external_id), now))

    def release(self, number: str, now: datetime) -> dict[str, Any]:
        return outcomes.hold(till.release(number, now, source=self.key.source), now)


@described("commit", "Commit a purchase", asked.OrderAsked)
class OrdersView(TillView):
    """Write a purchase down: redeem codes and points, earn, and tell; all of it or nothing."""

    def post(self, request: Request) -> HttpResponse:
        return self.answer(request, asked.OrderAsked, self.commit)

    def commit(self, said: Said, now: datetime) -> dict[str, Any]:
        is_completed = said.get("status", "completed") == "completed"
        sale = till.commit(self.ask(said, now), said["external_id"], now, is_completed=is_completed)
        return outcomes.sale(sale)


@described("refund", "Refund a purchase", asked.RefundAsked)
class RefundsView(TillView):
    """Pay a part of an order back, or all of it: what it earned for that is taken back."""

    def post(self, request: Request, external_id: str) -> HttpResponse:
        return self.answer(request, asked.RefundAsked, lambda said, now: self.refund(number_in(external_id), said, now))

    def refund(self, order: str, said: Said, now: datetime) -> dict[str, Any]:
        parts = [Part(each["number"], each.get("quantity"), each.get("amount")) for each in said.get("lines", ())]
        paid_back = till.refund(
            order, said["external_id"], now, parts=parts, amount=said.get("amount"), source=self.key.source
        )
        return outcomes.undone(paid_back)


@described("cancel", "Cancel a purchase", asked.CancelAsked)
class CancelView(TillView):
    """Undo an order: what it earned goes, points and vouchers that were redeemed on it come back."""

    def post(self, request: Request, external_id: str) -> HttpResponse:
        return self.answer(request, asked.CancelAsked, lambda said, now: self.cancel(number_in(external_id), now))

    def cancel(self, order: str, now: datetime) -> dict[str, Any]:
        return outcomes.undone(till.cancel(order, now, source=self.key.source))


@described("redeem_voucher", "Redeem a voucher on an order", asked.VoucherUseAsked)
class RedeemView(TillView):
    """Say that a code was used on an order that is there already, as one that a web shop took."""

    verb = staticmethod(uses.redeem)
    word = "redeemed"

    def post(self, request: Request, code: str) -> HttpResponse:
        return self.answer(request, asked.VoucherUseAsked, lambda said, now: self.use(code, said, now))

    def use(self, code: str, said: Said, now: datetime) -> dict[str, Any]:
        use = self.verb(code, said["order"], now, source=self.key.source, **_place(said))
        return outcomes.use(use, self.word)

    def codes(self, said: Said) -> list[str]:
        return [self.kwargs["code"]]


@described("release_voucher", "Release a voucher from an order", asked.VoucherUseAsked)
class ReleaseView(RedeemView):
    """Take it back that a code was used on an order, so that it can be used again.

    A code that was part of a sale at a till comes back when that is refunded or cancelled.
    """

    verb = staticmethod(uses.release)
    word = "released"


@described("adjust", "Give or take points", asked.AdjustmentAsked)
class AdjustView(TillView):
    """Points by hand, with a reason; more than the programme allows at once wait for somebody's approval."""

    scope = ApiKey.Scope.POINTS

    def post(self, request: Request) -> HttpResponse:
        return self.answer(request, asked.AdjustmentAsked, self.adjust)

    def adjust(self, said: Said, now: datetime) -> dict[str, Any]:
        reason = AdjustmentReason.objects.filter(code=said["reason"]).first()
        if reason is None:
            active = AdjustmentReason.objects.filter(is_active=True).order_by("code").values_list("code", flat=True)
            expected = ", ".join(active) or "one that staff have added"
            raise ValidationError({"reason": [f"There is no such reason; expected {expected}."]})
        number, customer = said["external_id"], known(said["customer"]).pk
        key = sha256(f"{self.key.source}:{number}".encode()).hexdigest()
        try:
            made = adjust(customer, said["points"], reason, said.get("note", ""), None, key, now, self.key.name)
        except Invalid as wrong:
            raise ValidationError({"points": wrong.messages}) from None
        return outcomes.adjustment(made, number, now)


def _checked(shape: type[Strict], body: Any) -> Said:
    """What was asked, field by field; raises ValidationError with all that is wrong."""
    return dict(_reader(shape).run_validation(body))


@cache
def _reader(shape: type[Strict]) -> Strict:
    """What reads bodies of that shape. It keeps nothing of them, and to make it takes longer than to read one."""
    return shape()


def number_in(text: str) -> str:
    """The number in an address; raises NotFound if nothing can have it."""
    if not re.fullmatch(asked.NUMBER, text):
        raise NotFound("Nothing has this number. Expected letters, digits and . _ : - only.")
    return text


def _item(line: Said) -> till.Item:
    return till.Item(line["sku"], line.get("quantity", Decimal(1)), line["amount"], line.get("name", ""))


def _place(said: Said) -> dict[str, str]:
    return {"store_location": said.get("store", ""), "till": said.get("till", "")}
