"""What happens to vouchers, and is held at tills: see test_ledger_machine.py."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from loyaltyflow.store.models import Customer, Product
from rewards import assigning, endings, till
from rewards.bill import Refused
from rewards.budgets import Budget, Spending
from rewards.discounts.amount_off_bill import AmountOffBill
from rewards.models import Discount, Redemption, Voucher

from . import till_model as model
from .ledger_machine import ZONE, Ledger, which, who

LASTS = 5  # days


class Vouchers(Ledger):
    """As the ledger alone, with vouchers, and a till that holds points and vouchers for some minutes."""

    def __init__(self) -> None:
        super().__init__()
        self.discounts: list[model.Discount] = []
        self.vouchers: list[model.Voucher] = []
        self.holds: dict[str, dict] = {}

    @initialize()
    def open_the_shop(self) -> None:
        """One discount of each sort: unlimited, limited in number, out of a budget, for larger bills."""
        Product.objects.bulk_create(Product(sku=f"SKU-{line}", name="Tea") for line in range(2))
        budget = Budget.objects.create(name="Spring", unit=Budget.Unit.MONEY, amount=Decimal(60))
        self.budget = budget.pk
        kinds: list[dict[str, Any]] = [
            {"amount": Decimal(10), "combines": True},
            {"amount": Decimal(7), "combines": True, "uses_allowed": 6, "uses_per_customer": 2},
            {"amount": Decimal("8.01"), "combines": True, "budget": budget},
            {"amount": Decimal(25), "min_spend": Decimal(20), "supersedes": True, "valid_days": LASTS},
        ]
        for kind in kinds:
            made = AmountOffBill.objects.create(name=f"Off {kind['amount']}", title="Off", is_active=True, **kind)
            known = {"combines": made.combines, "min_spend": made.min_spend or Decimal(0)}
            limits = {"allowed": made.uses_allowed, "per_customer": made.uses_per_customer}
            limits["budget"] = kind.get("budget") and budget.amount
            self.discounts.append(model.Discount(made.pk, made.amount, **known, **limits))
        shared = Voucher.objects.create(code="EVERYBODY", discount_id=self.discounts[0].pk, uses_allowed=4)
        self.vouchers.append(model.Voucher(shared.pk, shared.code, self.discounts[0], allowed=4))

    def twice(self, act: Callable[[], Any]) -> tuple[Any, str]:
        """What was answered, or why it was refused, to what is sent and at once sent again."""
        answers = []
        for _time in range(2):
            try:
                with transaction.atomic():
                    answers.append((act(), ""))
            except Refused as refused:
                answers.append((None, str(refused.refusal.reason)))
        assert answers[0][1] == answers[1][1]
        return answers[0]

    def locked(self, voucher: model.Voucher, but: str = "") -> bool:
        """Whether another till's hold keeps it."""
        open_ = [hold for number, hold in self.holds.items() if number != but and hold["until"] > self.now]
        return voucher.allowed == 1 and any(hold["voucher"] is voucher for hold in open_)

    def chosen(self, numbers: list[int]) -> list[model.Voucher]:
        """Of the codes, these: the newest are the likeliest to be of use."""
        return list(dict.fromkeys(self.vouchers[-1 - number % len(self.vouchers)] for number in numbers))

    @rule(who=st.sets(who, min_size=1), kind=st.integers(0, 3), workflow=st.sampled_from([None, 1]))
    def assign(self, who: set[int], kind: int, workflow: int | None) -> None:
        key = self.key()
        discount = self.discounts[kind]
        rows = Customer.objects.filter(pk__in=[self.customers[each].pk for each in who])
        origin = Concat(Value(f"{key}:"), Cast("pk", TextField()), output_field=TextField())
        named = {"origin": origin, "customer": "pk", "now": self.now, "workflow": workflow}
        row = Discount.objects.get(pk=discount.pk)
        given = [assigning.assign(rows, row, **named).new for _twice in range(2)]
        assert given == [len(who), 0]
        self.take_in(key, discount, workflow)

    def take_in(self, key: str, discount: model.Discount, workflow: int | None) -> None:
        """Note the vouchers that were given, and what they replace."""
        ends = None
        if discount is self.discounts[3]:
            day = self.now.astimezone(ZONE).date() + timedelta(days=LASTS + 1)
            ends = datetime(day.year, day.month, day.day, tzinfo=ZONE)
        whose = {customer.pk: number for number, customer in enumerate(self.customers)}
        for row in Voucher.objects.filter(origin__startswith=f"{key}:").order_by("pk"):
            owner = whose[row.customer_id]
            for old in self.vouchers:
                is_replaced = workflow is not None and (old.owner, old.workflow) == (owner, workflow)
                if discount is self.discounts[3] and is_replaced and old.state == "issued":
                    old.state = "superseded"
            more = {"owner": owner, "expires": ends, "workflow": workflow}
            self.vouchers.append(model.Voucher(row.pk, row.code, discount, **more))

    @rule(which=which)
    def revoke(self, which: int) -> None:
        self.key()
        [voucher] = self.chosen([which])
        rows = Voucher.objects.filter(pk=voucher.pk)
        known = int(voucher.state == "issued")
        assert [endings.revoke(rows, "By mistake", self.now) for _twice in range(2)] == [known, 0]
        voucher.state = "revoked" if known else voucher.state

    @rule()
    def expire_vouchers(self) -> None:
        due = [each for each in self.vouchers if each.state == "issued" and each.is_over(self.now)]
        assert [endings.expire(self.now)["expired"] for _twice in range(2)] == [len(due), 0]
        for voucher in due:
            voucher.state = "expired"

    @rule(who=who, points=st.sampled_from([0, 5, 100]), codes=st.lists(which, max_size=1), minutes=st.integers(1, 15))
    def hold(self, who: int, points: int, codes: list[int], minutes: int) -> None:
        number = self.key()
        vouchers = self.chosen(codes)
        reason = "insufficient_points" if points > self.accounts[who].spendable(self.now) else ""
        for voucher in vouchers:
            taken = "locked_by_other_till" if self.locked(voucher) else ""
            reason = reason or taken or voucher.against(who, None, self.now)
        customer, code = self.customers[who].pk, vouchers[0].code if vouchers else ""
        asked = {"customer": customer, "points": points, "code": code, "seconds": minutes * 60}
        made, refused = self.twice(lambda: till.hold(number, self.now, **asked))
        assert refused == reason
        if made:
            until = self.now + timedelta(minutes=minutes)
            self.accounts[who].held[number] = (points, until)
            self.holds[number] = {"who": who, "until": until, "voucher": vouchers[0] if vouchers else None}

    @precondition(lambda self: self.holds)
    @rule(which=which)
    def let_go(self, which: int) -> None:
        number = list(self.holds)[which % len(self.holds)]
        assert self.twice(lambda: till.release(number, self.now))[1] == ""
        self.end(number)

    def end(self, number: str) -> None:
        del self.accounts[self.holds.pop(number)["who"]].held[number]

    @invariant()
    def each_voucher_is_as_the_model_says(self) -> None:
        """I6 and I7: states, and counters that are the number of uses that stand."""
        known = {(each.pk, each.state, each.uses) for each in self.vouchers}
        assert set(Voucher.objects.values_list("pk", "state", "uses")) == known
        standing = [use for discount in self.discounts for use in discount.standing()]
        uses = {(use.voucher.pk, self.customers[use.who].pk, use.order, use.amount) for use in standing}
        rows = Redemption.objects.standing().values_list("voucher", "customer", "order__external_id", "amount")
        assert (len(standing), set(rows)) == (len(uses), uses)
        counted = dict(Discount.objects.non_polymorphic().values_list("pk", "uses"))
        assert counted == {each.pk: len(each.standing()) for each in self.discounts}
        spent = Spending.objects.filter(customer=None).values_list("used", flat=True)
        assert sum(spent, Decimal(0)) == sum(use.amount for use in standing if use.voucher.discount.budget)
