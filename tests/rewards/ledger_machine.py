"""What happens to points, in whatever order, to the ledger and to a plain model of it: see test_ledger_machine.py."""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from psycopg import Cursor

from loyaltyflow.store.models import Order, Refund, StoreSettings
from rewards import earning, ledger
from rewards.bill import Refused
from rewards.ledger.checks import CHECKS
from rewards.models import Account, Entry, Lot, Programme
from rewards.rules.points_per_spend import PointsPerSpend
from tests import factories

from . import ledger_model as plain
from .points import give

ZONE = ZoneInfo("America/New_York")
START = datetime(2026, 1, 1, 12, tzinfo=ZONE)
RATES = [Decimal(rate) for rate in ("0.1", "1", "2.5")]

# What `ledger.verify` asks in many statements; planned once, because it is asked after each step.
PROOF = " UNION ALL ".join(f"({check.sql})" for check in CHECKS)
KNOWN = {name: value for check in CHECKS for name, value in check.known().items()}

who = st.integers(0, 2)
amount = st.integers(1, 300)
which = st.integers(0, 1_000)
pairs = st.permutations(range(3)).map(lambda order: (order[0], order[1]))


class Ledger(RuleBasedStateMachine):
    """The same things happen to the ledger and to the model; each step happens a little later than the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        self.now = START
        self.number = 0
        self.customers = [factories.customer(loyalty_joined_at=START - timedelta(days=9)) for _ in range(3)]
        self.accounts = [plain.Account() for _ in self.customers]
        self.orders: list[dict] = []
        self.redeemed: list[dict] = []
        self.seen: dict[int, tuple] = {}
        self.window, self.rate, self.months, self.forgives, self.grace = 0, RATES[1], 0, False, 30

    @initialize()
    def begin(self) -> None:
        StoreSettings.load(), Programme.load()
        PointsPerSpend.objects.create(name="Earn", starts_at=START, points_per_unit=self.rate)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)

    def key(self) -> str:
        self.number += 1
        self.now += timedelta(seconds=1)
        return f"step:{self.number}"

    def by_policy(self, earned: datetime) -> datetime | None:
        """The first midnight after the month that so many months later is."""
        if not self.months:
            return None
        month = earned.astimezone(ZONE).month - 1 + self.months + 1
        return datetime(earned.astimezone(ZONE).year + month // 12, month % 12 + 1, 1, tzinfo=ZONE)

    def lot(self, points: int, **more) -> plain.Lot:
        known = {"earned": self.now, "available": self.now, "expires": None, **more}
        return plain.Lot(points, points, waits=known["available"] > self.now, **known)

    @rule(days=st.integers(0, 40), hours=st.integers(1, 23))
    def time_passes(self, days: int, hours: int) -> None:
        self.now += timedelta(days=days, hours=hours)

    @rule(who=who, points=amount, waits=st.sampled_from([0, 0, 5, 30]), life=st.sampled_from([None, 3, 20, 90]))
    def get_points(self, who: int, points: int, waits: int, life: int | None) -> None:
        key = self.key()
        dates = {
            "available": self.now + timedelta(days=waits),
            "expires": life and self.now + timedelta(days=life),
        }
        for _twice in range(2):
            named = {"available_at": dates["available"], "expires_at": dates["expires"]}
            give(self.customers[who], points, key, self.now, **named)
        self.accounts[who].give(self.lot(points, **dates), self.now)

    @rule(who=who, cents=st.integers(1, 30_000))
    def buy(self, who: int, cents: int) -> None:
        self.key()
        order = factories.order(self.customers[who], self.now, str(Decimal(cents) / 100))
        points = floor(order.net * self.rate)
        known = Order.objects.filter(pk=order.pk)
        assert [earning.earn(known, self.now), earning.earn(known, self.now)] == [int(points > 0), 0]
        self.orders.append({"order": order, "who": who, "exact": order.net * self.rate, "earned": points, "taken": 0})
        if points:
            available = self.now + timedelta(days=self.window)
            lot = self.lot(points, available=available, expires=self.by_policy(self.now), order=order.pk)
            self.accounts[who].give(lot, self.now)

    @precondition(lambda self: self.orders)
    @rule(which=which, cents=st.integers(1, 30_000))
    def pay_back(self, which: int, cents: int) -> None:
        """A part of an order, or what is left of it."""
        known = self.orders[which % len(self.orders)]
        order = known["order"]
        back = min(Decimal(cents) / 100, order.net - order.refunded)
        if back <= 0 or order.cancelled_at:
            return
        self.key()
        Refund.objects.create(order=order, amount=back, at=self.now)
        order.refunded += back
        order.refunded_at = self.now if order.refunded == order.net else None
        order.save(update_fields=["refunded", "refunded_at"])
        share = Fraction(order.refunded) / Fraction(order.net)
        self.reverse(known, known["earned"] if share == 1 else floor(Fraction(known["exact"]) * share))

    @precondition(lambda self: self.orders)
    @rule(which=which)
    def cancel(self, which: int) -> None:
        """The whole order: what it earned goes back, and so does what was redeemed with it."""
        known = self.orders[which % len(self.orders)]
        if known["order"].cancelled_at:
            return
        self.key()
        known["order"].cancelled_at = self.now
        known["order"].save(update_fields=["cancelled_at"])
        self.reverse(known, known["earned"])

    def reverse(self, known: dict, due: int) -> None:
        orders = Order.objects.filter(pk=known["order"].pk)
        points = due - known["taken"]
        assert [earning.reverse(orders, self.now), earning.reverse(orders, self.now)] == [int(points > 0), 0]
        if points:
            self.accounts[known["who"]].take_back(points, known["order"].pk, self.now, self.forgives)
        known["taken"] = due
        taken = Entry.objects.filter(order=known["order"], kind=Entry.Kind.REFUND_REVERSAL)
        assert -taken.aggregate(sum=Sum("points", default=0))["sum"] == due <= known["earned"]

    @rule(who=who, points=amount, is_by_hand=st.booleans())
    def spend(self, who: int, points: int, is_by_hand: bool) -> None:
        key = self.key()
        verb = ledger.take if is_by_hand else ledger.redeem
        account = self.accounts[who]
        could = account.spendable(self.now)
        for _twice in range(2):
            try:
                entry = verb(self.customers[who].pk, points, key=key, explanation="Spent", now=self.now)
            except Refused as refused:
                assert points > could == refused.refusal.current["spendable"]
                return
        assert points <= could
        drawn = account.draw(account.to_spend(self.now), points)
        if not is_by_hand:
            self.redeemed.append({"entry": entry, "who": who, "drawn": drawn, "points": points, "back": 0})

    @precondition(lambda self: self.redeemed)
    @rule(which=which, points=amount)
    def give_back(self, which: int, points: int) -> None:
        known = self.redeemed[which % len(self.redeemed)]
        key = self.key()
        for _twice in range(2):
            entry = ledger.give_back(known["entry"], key=key, now=self.now, points=points)
        back = min(points, known["points"] - known["back"])
        assert (entry.points if entry else 0) == back
        if back:
            grace = self.lot(0, expires=self.now + timedelta(days=self.grace))
            self.accounts[known["who"]].give_back(known["drawn"], known["back"], back, grace, self.now)
            known["back"] += back

    @rule()
    def activate(self) -> None:
        ledger.activate(self.now)
        assert ledger.activate(self.now) == 0
        for account in self.accounts:
            account.activate(self.now)

    @rule()
    def expire(self) -> None:
        expired = sum(account.expire(self.now) for account in self.accounts)
        assert [ledger.expire(self.now), ledger.expire(self.now)] == [expired, 0]

    @rule(pair=pairs, points=amount)
    def transfer(self, pair: tuple[int, int], points: int) -> None:
        source, receiver = pair
        key = self.key()
        giver = self.accounts[source]
        could = giver.spendable(self.now)
        try:
            moved = ledger.transfer(
                self.customers[source].pk, self.customers[receiver].pk, points, key=key, now=self.now
            )
        except Refused:
            assert points > could
            return
        assert moved == points <= could
        self.move(source, receiver, giver.draw(giver.to_spend(self.now), points))

    @rule(pair=pairs)
    def merge(self, pair: tuple[int, int]) -> None:
        """All that one has, waits for and owes goes to another."""
        source, receiver = pair
        key = self.key()
        giver = self.accounts[source]
        giver.expire(self.now)
        giver.pay(self.now)
        for _twice in range(2):
            ledger.transfer(self.customers[source].pk, self.customers[receiver].pk, None, key=key, now=self.now)
        never = datetime.max.replace(tzinfo=ZONE)
        first = sorted(giver.lots, key=lambda lot: (lot.expires is None, lot.expires or never, lot.earned))
        self.accounts[receiver].owed += giver.owed
        giver.owed = 0
        self.move(source, receiver, giver.draw(first, 2**62))

    def move(self, source: int, receiver: int, drawn: list[tuple[plain.Lot, int]]) -> None:
        for lot, part in drawn:
            same = {"earned": lot.earned, "available": lot.available, "expires": lot.expires, "order": lot.order}
            self.accounts[receiver].lots.append(plain.Lot(part, part, waits=lot.waits, **same))
        self.accounts[receiver].pay(self.now)

    @rule(window=st.sampled_from([0, 14]), rate=st.sampled_from(RATES), months=st.sampled_from([0, 1, 3]))
    def earning_changes(self, window: int, rate: Decimal, months: int) -> None:
        self.window, self.rate, self.months = window, rate, months
        StoreSettings.objects.update(return_window_days=window)
        PointsPerSpend.objects.update(points_per_unit=rate)
        policy = {"expiry": "months", "expiry_months": months} if months else {"expiry": "never"}
        Programme.objects.update(**policy)

    @rule(forgives=st.booleans(), grace=st.sampled_from([0, 30]))
    def programme_changes(self, forgives: bool, grace: int) -> None:
        self.forgives, self.grace = forgives, grace
        Programme.objects.update(shortfall="forgive" if forgives else "owe", grace_days=grace)

    @invariant()
    def the_ledger_proves_itself(self) -> None:
        """I1, I2, I4 to I7 and I9, by the whole ledger's own checks."""
        with Cursor(connection.connection) as cursor:
            assert cursor.execute(PROOF, KNOWN, prepare=True).fetchall() == []

    @invariant()
    def no_entry_changes(self) -> None:
        """I3: what was written once stays as it is."""
        entries = Entry.objects.order_by("pk").values_list("pk", "customer", "kind", "points", "occurred_at", "key")
        written = {row[0]: row for row in entries}
        assert self.seen.items() <= written.items()
        self.seen = written

    @invariant()
    def each_account_holds_what_the_model_says(self) -> None:
        ids = [customer.pk for customer in self.customers]
        known = ledger.spendable(ids, self.now)
        balances = dict(Account.objects.values_list("pk", "balance"))
        for pk, account in zip(ids, self.accounts, strict=True):
            points = known[pk]
            assert (points.active, points.pending, points.held, points.owed) == account.holds(self.now)
            assert points.spendable == account.spendable(self.now)
            assert balances.get(pk, 0) == account.balance
            left = Lot.objects.filter(customer=pk).values_list("points", "remaining", "earned_at", "expires_at")
            never = START - timedelta(days=1)
            lots = [(lot.points, lot.left, lot.earned, lot.expires) for lot in account.lots]
            assert sorted((*row[:3], row[3] or never) for row in left) == sorted(
                (*row[:3], row[3] or never) for row in lots
            )
