"""Whatever happens to points and vouchers in whatever order, they are as a plain model says, and prove themselves."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from loyaltyflow.store.models import Customer, Order
from rewards import till
from rewards.models import Entry, Programme
from rewards.till.uses import redeem, release

from . import till_model as model
from .ledger_machine import which, who
from .voucher_machine import Vouchers

POINT = Decimal("0.05")
parts = st.sampled_from(["so much", "the rest"])
prices = st.integers(0, 6_000).map(lambda cents: Decimal(cents) / 100)


class Shop(Vouchers):
    """With all that happens to the ledger and to vouchers, a till that sells, pays back and cancels."""

    def __init__(self) -> None:
        super().__init__()
        self.sales: list[model.Sale] = []
        self.restores = False

    @rule(
        who=who,
        bill=st.lists(prices, min_size=1, max_size=2),
        codes=st.lists(which, max_size=2),
        points=st.sampled_from([0, 0, 7, 100, 400]),
        holds=st.booleans(),
        is_completed=st.sampled_from([True, True, False]),
    )
    def sell(self, who: int, bill: model.Bill, codes: list[int], points: int, holds: bool, is_completed: bool) -> None:
        """A quote, which writes nothing, and the purchase that comes to the same."""
        number = self.key()
        mine = [each for each, hold in self.holds.items() if hold["who"] == who] if holds else []
        vouchers = self.chosen(codes)
        asked = {"who": who, "bill": bill, "vouchers": vouchers, "points": points, "hold": mine[-1] if mine else ""}
        taken, reasons, left = self.judged(**asked)
        quote = till.quote(self.ask(**asked), self.now)
        assert {each.code: str(each.reason) for each in quote.refusals} == reasons
        assert [(claim.voucher.pk, off.total) for claim, off in quote.taken] == [
            (voucher.pk, sum(off)) for voucher, off in taken
        ]
        used = min(points, int(sum(left) / POINT)) if "points" not in reasons else 0
        nets = model.less(left, model.spread(used * POINT, left))
        assert (quote.points, quote.net) == (used, sum(nets))
        sold, refused = self.twice(lambda: till.commit(self.ask(**asked), number, self.now, is_completed=is_completed))
        assert bool(refused) == bool(reasons), (refused, reasons)
        if sold:
            sale = model.Sale(number, who, asked, bill, nets)
            self.paid(sale, taken, used, asked["hold"])
            if is_completed:
                self.complete(sale)

    def judged(
        self, who: int, bill: model.Bill, vouchers: list[model.Voucher], points: int, hold: str
    ) -> tuple[model.Offs, dict[str, str], model.Bill]:
        """What the model takes off, why not more, and what is left to pay."""
        is_open = bool(hold) and self.holds[hold]["until"] > self.now
        free = [each for each in vouchers if not self.locked(each, hold if is_open else "")]
        taken, reasons, left = model.judged(free, who, bill, self.now)
        reasons |= {each.code: "locked_by_other_till" for each in vouchers if each not in free}
        account = self.accounts[who]
        active, _pending, held, owed = account.holds(self.now)
        kept = account.held[hold][0] if is_open else 0
        if points > max(0, active - owed - (held - kept)):
            reasons["points"] = "insufficient_points"
        return taken, reasons, left

    def ask(self, who: int, bill: model.Bill, vouchers: list[model.Voucher], points: int, hold: str) -> till.Ask:
        items = [till.Item(f"SKU-{line}", Decimal(1), price) for line, price in enumerate(bill)]
        codes = [each.code for each in vouchers]
        return till.ask(items, self.now, customer=self.customers[who].pk, codes=codes, points=points, hold=hold)

    def paid(self, sale: model.Sale, taken: model.Offs, points: int, hold: str) -> None:
        """Redeem in the model what was redeemed."""
        self.sales.append(sale)
        for voucher, off in taken:
            self.use(voucher, sale, sum(off, Decimal(0)), is_of_sale=True)
        if hold and self.holds[hold]["until"] > self.now:
            self.end(hold)
        account = self.accounts[sale.who]
        sale.spent, sale.drawn = points, account.draw(account.to_spend(self.now), points)

    def use(self, voucher: model.Voucher, sale: model.Sale, amount: Decimal, is_of_sale: bool = False) -> None:
        voucher.uses += 1
        voucher.state = "redeemed" if voucher.uses >= voucher.allowed else voucher.state
        voucher.discount.uses.append(model.Use(voucher, sale.who, sale.number, amount, is_of_sale))

    def complete(self, sale: model.Sale) -> None:
        sale.is_completed = True
        if points := sale.earns(self.rate):
            order = Order.objects.get(source="till", external_id=sale.number)
            available = self.now + timedelta(days=self.window)
            lot = self.lot(points, available=available, expires=self.by_policy(self.now), order=order.pk)
            self.accounts[sale.who].give(lot, self.now)
            assert Entry.objects.get(order=order, kind=Entry.Kind.EARN).points == points

    @precondition(lambda self: any(not sale.is_completed for sale in self.sales))
    @rule(which=which)
    def hand_over(self, which: int) -> None:
        """A purchase that was placed before is completed, unless it was cancelled meanwhile."""
        placed = [sale for sale in self.sales if not sale.is_completed]
        sale = placed[which % len(placed)]
        self.key()
        asked = {**sale.asked, "hold": ""}
        _sold, refused = self.twice(lambda: till.commit(self.ask(**asked), sale.number, self.now))
        assert refused == ("order_closed" if sale.is_closed else "")
        if not refused:
            self.complete(sale)
            self.take(sale)

    def take(self, sale: model.Sale) -> int:
        """Take back in the model what the till order's refunds take so far."""
        points = sale.due() - sale.taken
        if points:
            order = Order.objects.get(source="till", external_id=sale.number).pk
            self.accounts[sale.who].take_back(points, order, self.now, self.forgives)
        sale.taken += points
        return points

    @precondition(lambda self: self.sales)
    @rule(
        which=which, cents=st.integers(1, 6_000), line=st.integers(0, 2), how=st.sampled_from(["so much", "the rest"])
    )
    def refund(self, which: int, cents: int, line: int, how: str) -> None:
        """A part of a line, or of the order as a whole, or what is left of it."""
        sale = self.sales[-1 - which % len(self.sales)]
        if not sale.net:
            return
        number, line = self.key(), min(line, len(sale.nets))
        wanted = Decimal(cents) / 100 if how == "so much" else None
        left = sale.net - sale.refunded
        own = sale.nets[line - 1] - sale.back.get(line, Decimal(0)) if line else left
        back = own if wanted is None else wanted
        asked = {"parts": [till.Part(line, amount=wanted)]} if line else {"amount": wanted}
        undone, refused = self.twice(lambda: till.refund(sale.number, number, self.now, **asked))
        if sale.is_cancelled:
            assert refused == "order_closed"
        elif back > min(own, left) or back <= 0:
            assert refused == "refund_too_large"
        else:
            assert (undone.amount, refused) == (back, "")
            sale.back[line or None] = sale.back.get(line or None, Decimal(0)) + back
            assert undone.taken_back == self.take(sale)
            if self.restores:
                self.restore(sale, Fraction(sale.refunded) / Fraction(sale.net))

    @precondition(lambda self: self.sales)
    @rule(which=which)
    def call_off(self, which: int) -> None:
        """The whole order: what it earned goes, and all that was redeemed comes back."""
        sale = self.sales[-1 - which % len(self.sales)]
        self.key()
        assert self.twice(lambda: till.cancel(sale.number, self.now))[1] == ""
        if not sale.is_cancelled:
            sale.is_cancelled = True
            self.take(sale)
            self.restore(sale, Fraction(1))

    def restore(self, sale: model.Sale, share: Fraction) -> None:
        """That share of the points that were spent, and with the last of it the vouchers."""
        points = int(sale.spent * share) - sale.given
        if points > 0:
            grace = self.lot(0, expires=self.now + timedelta(days=self.grace))
            self.accounts[sale.who].give_back(sale.drawn, sale.given, points, grace, self.now)
            sale.given += points
        for use in [use for discount in self.discounts for use in discount.standing()]:
            if share == 1 and use.order == sale.number:
                self.undo(use)

    def undo(self, use: model.Use) -> None:
        use.is_undone = True
        use.voucher.uses -= 1
        use.voucher.state = "issued" if use.voucher.state == "redeemed" else use.voucher.state

    @precondition(lambda self: self.sales)
    @rule(which=which, code=which)
    def use_on_order(self, which: int, code: int) -> None:
        """A code that the shop took already is used on the order; the order stays as it is."""
        self.key()
        sale = self.sales[-1 - which % len(self.sales)]
        [voucher] = self.chosen([code])
        taken, reasons, _left = model.judged([voucher], sale.who, sale.lines, self.now)
        known = [use for use in voucher.discount.standing() if (use.voucher, use.order) == (voucher, sale.number)]
        made, refused = self.twice(lambda: redeem(voucher.code, sale.number, self.now))
        locked = "locked_by_other_till" if self.locked(voucher) else ""
        expected = ("order_closed" if sale.is_cancelled else locked) or reasons.get(voucher.code, "")
        assert refused == ("" if known else expected)
        if made and not known:
            self.use(voucher, sale, sum(taken[0][1], Decimal(0)))

    @precondition(lambda self: any(discount.uses for discount in self.discounts))
    @rule(which=which)
    def give_up(self, which: int) -> None:
        """The use of a code counts no longer, unless the sale itself took it; its order stays as it is."""
        self.key()
        uses = [use for discount in self.discounts for use in discount.uses]
        use = uses[which % len(uses)]
        same = [each for each in use.voucher.discount.uses if each.voucher is use.voucher]
        last = [each for each in same if each.order == use.order][-1]
        is_kept = last.is_of_sale and not last.is_undone
        released = self.twice(lambda: release(use.voucher.code, use.order, self.now))
        assert released[1] == ("part_of_sale" if is_kept else "")
        if not is_kept and not last.is_undone:
            self.undo(last)

    @rule(restores=st.booleans())
    def refunds_change(self, restores: bool) -> None:
        self.restores = restores
        Programme.objects.update(restores_partly=restores)

    @invariant()
    def each_sale_is_as_the_model_says(self) -> None:
        """I5 and I10: what is sent again changes nothing, and no more is paid back than was paid."""
        rows = Order.objects.filter(source="till").values_list("external_id", "net", "refunded")
        assert set(rows) == {(sale.number, sale.net, sale.refunded) for sale in self.sales}


@pytest.mark.django_db
def test_the_ledger_agrees_with_the_model() -> None:
    """`--hypothesis-profile=thorough` does 200 runs of 200 steps."""
    is_thorough = settings.default.max_examples > 3
    runs, steps = (200, 200) if is_thorough else (4, 30)
    plan = settings(settings.default, max_examples=runs, stateful_step_count=steps)
    run_state_machine_as_test(Shop, settings=plan, _min_steps=steps)  # else many a run ends after a step or two
    assert not Customer.objects.exists()
