"""What customers may still spend, worked out a second time, in plain Python and without the ledger.

What was bought comes from the retailer's files, who joined when and what staff did from the facts of the store. The
demo's programme is told anew here: a point for each dollar paid, two for coffee, rounded down for each purchase, to be
spent two weeks later, and gone at the end of the tenth month.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import floor
from zoneinfo import ZoneInfo

from loyaltyflow.store.complete_journey.data import RETAILER, SOURCE, read
from loyaltyflow.store.models import Customer, ExternalId, Order, OrderLine, Refund, StoreSettings
from rewards.adjustments import Adjustment
from workflows.models import Step
from workflows.nodes.award_points import AwardPoints

COFFEE = "COFFEE"  # as the files write it; `readable` makes “Coffee” of it
WAIT = timedelta(days=14)
MONTHS = 10
WORTH = Decimal("0.05")


@dataclass
class Lot:
    """Points that came at once: what is left of them, from when to when."""

    order: str
    left: int
    earned: datetime
    starts: datetime
    ends: datetime

    def can_be_spent(self, at: datetime) -> bool:
        return self.left > 0 and self.starts <= at < self.ends


@dataclass(frozen=True)
class Act:
    """Something that happened to a customer's points; those of one moment in the order of `turn`."""

    at: datetime
    turn: int
    do: Callable[["Purse"], None]


class Purse:
    """One customer's points."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.lots: list[Lot] = []
        self.spent: dict[str, list[tuple[Lot, int]]] = {}
        self.owed = 0

    def earn(self, order: str, points: int, at: datetime, wait: timedelta = WAIT) -> None:
        if points > 0:
            self.lots.append(Lot(order, points, at, at + wait, ends(at.astimezone(self.zone))))

    def spend(self, order: str, points: int, at: datetime) -> None:
        """Those that expire first go first."""
        taken = self.spent.setdefault(order, [])
        for lot in sorted(self.lots, key=lambda each: (each.ends, each.earned)):
            part = min(points, lot.left) if lot.can_be_spent(at) else 0
            lot.left, points = lot.left - part, points - part
            taken.append((lot, part))
        self.owed += points

    def lose(self, order: str, points: int, at: datetime) -> None:
        """What the order brought goes first, then what came last."""
        own = [lot for lot in self.lots if lot.order == order]
        others = [lot for lot in self.lots if lot.order != order and lot.can_be_spent(at)]
        for lot in own + sorted(others, key=lambda each: each.earned, reverse=True):
            part = min(points, lot.left)
            lot.left, points = lot.left - part, points - part
        self.owed += points

    def restore(self, order: str) -> None:
        """What was spent on the order comes back to where it came from."""
        for lot, part in self.spent.pop(order, []):
            lot.left += part


def ends(at: datetime) -> datetime:
    """The midnight after the tenth month's last day."""
    month = at.month + MONTHS
    return at.replace(
        year=at.year + month // 12, month=month % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0, fold=0
    )


def liability(now: datetime) -> tuple[int, Decimal]:
    """How many points can still be spent, now or once they do not wait any more, and what they are worth."""
    zone = StoreSettings.load().zone
    points = 0
    for acts in _acts(zone, now).values():
        purse = Purse(zone)
        for act in sorted(acts, key=lambda each: (each.at, each.turn)):
            if act.at <= now:
                act.do(purse)
        points += sum(lot.left for lot in purse.lots if lot.ends > now)
    return points, points * WORTH


def _acts(zone: ZoneInfo, now: datetime) -> dict[int, list[Act]]:
    """All that happened, for each customer."""
    found: dict[int, list[Act]] = defaultdict(list)
    for make in (_purchases, _sales, _refunds, _gifts, _adjustments):
        for customer, act in make(zone):
            found[customer].append(act)
    return found


def _purchases(zone: ZoneInfo) -> Iterator[tuple[int, Act]]:
    """What the files say that members bought."""
    numbers = dict(ExternalId.objects.filter(source=SOURCE).values_list("external_id", "customer"))
    joined = dict(Customer.objects.values_list("pk", "loyalty_joined_at"))
    baskets = _baskets()
    shift = _weeks_moved(baskets, zone)
    for basket, (household, at, dollars) in baskets.items():
        customer = numbers.get(str(household))
        moved = (at + shift).replace(tzinfo=zone)
        if customer and (since := joined[customer]) and since <= moved:
            yield customer, _earned(f"{basket}", floor(dollars), moved)


def _earned(order: str, points: int, at: datetime) -> Act:
    return Act(at, 1, lambda purse: purse.earn(order, points, at))


def _baskets() -> dict[int, tuple[int, datetime, Decimal]]:
    """Basket → household, when on the retailer's clock, and dollars, those for coffee counted twice."""
    coffee = {
        row["product_id"]
        for row in read("products", ["product_id", "product_category"]).to_pylist()
        if row["product_category"] == COFFEE
    }
    names = ["basket_id", "household_id", "transaction_timestamp", "product_id", "sales_value"]
    columns = read("transactions", names)
    baskets: dict[int, tuple[int, datetime, Decimal]] = {}
    whens: dict[datetime, datetime] = {}
    for basket, household, at, product, paid in zip(*(columns[name].to_pylist() for name in names), strict=True):
        cents = Decimal(f"{paid:.2f}") * (2 if product in coffee else 1)
        if basket in baskets:
            cents += baskets[basket][2]
        when = whens.get(at)
        if when is None:
            utc = at.to_pydatetime() if hasattr(at, "to_pydatetime") else at
            when = whens[at] = utc.replace(tzinfo=ZoneInfo("UTC")).astimezone(RETAILER).replace(tzinfo=None)
        baskets[basket] = (household, when, cents)
    return baskets


def _weeks_moved(baskets: dict[int, tuple[int, datetime, Decimal]], zone: ZoneInfo) -> timedelta:
    """By how much the store's year is later than that of the files."""
    number, at = Order.objects.filter(source=SOURCE).values_list("external_id", "placed_at")[0]
    return at.astimezone(zone).replace(tzinfo=None) - baskets[int(number)][1]


def _sales(zone: ZoneInfo) -> Iterator[tuple[int, Act]]:
    """What was sold at the till, and the points that were used for it."""
    dollars = _paid()
    members = Customer.objects.exclude(loyalty_joined_at=None)
    for order in Order.objects.exclude(source=SOURCE).filter(customer__in=members).select_related("receipt"):
        number, used = f"till {order.pk}", order.receipt.told["points_to_use"]
        yield order.customer_id, _spent(number, used, order.placed_at)
        yield order.customer_id, _earned(number, floor(sum(dollars[order.pk].values())), order.placed_at)
        if order.cancelled_at:
            yield order.customer_id, _undone(number, floor(sum(dollars[order.pk].values())), order.cancelled_at)


def _paid() -> dict[int, dict[int, Decimal]]:
    """Order of a till → line → dollars, those for coffee counted twice."""
    found: dict[int, dict[int, Decimal]] = defaultdict(dict)
    lines = OrderLine.objects.exclude(order__source=SOURCE)
    for order, number, net, category in lines.values_list("order", "number", "net", "product__category"):
        found[order][number] = net * (2 if category.upper() == COFFEE else 1)
    return found


def _spent(order: str, points: int, at: datetime) -> Act:
    return Act(at, 0, lambda purse: purse.spend(order, points, at))


def _undone(order: str, points: int, at: datetime) -> Act:
    def undo(purse: Purse) -> None:
        purse.lose(order, points, at)
        purse.restore(order)

    return Act(at, 2, undo)


def _refunds(zone: ZoneInfo) -> Iterator[tuple[int, Act]]:
    """What was brought back, line by line; the demo's customers bring one line of an order back at most."""
    dollars = _paid()
    for refund in Refund.objects.select_related("order"):
        points = floor(dollars[refund.order_id][refund.line or 0])
        yield refund.order.customer_id, _lost(f"till {refund.order_id}", points, refund.at)


def _lost(order: str, points: int, at: datetime) -> Act:
    return Act(at, 2, lambda purse: purse.lose(order, points, at))


def _gifts(zone: ZoneInfo) -> Iterator[tuple[int, Act]]:
    """What workflows gave."""
    worth = dict(AwardPoints.objects.values_list("pk", "points"))
    gone = Step.objects.filter(node__in=list(worth)).values_list("enrolment__customer", "node", "left_at")
    for customer, node, at in gone:
        yield customer, _given(worth[node], at)


def _given(points: int, at: datetime) -> Act:
    return Act(at, 1, lambda purse: purse.earn("", points, at, timedelta(0)))


def _adjustments(zone: ZoneInfo) -> Iterator[tuple[int, Act]]:
    """What staff gave or took."""
    for each in Adjustment.objects.done():
        at = each.decided_at or each.asked_at
        yield each.customer_id, _given(each.points, at) if each.points > 0 else _spent("", -each.points, at)
