"""The ledger in plain Python: what each verb does, said as simply as it can be said."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Lot:
    points: int
    left: int
    earned: datetime
    available: datetime
    expires: datetime | None
    waits: bool
    order: int | None = None
    is_expired: bool = False

    def lives(self, now: datetime) -> bool:
        return self.expires is None or self.expires > now

    def can_be_spent(self, now: datetime) -> bool:
        return self.left > 0 and self.available <= now and self.lives(now)


@dataclass
class Account:
    """One customer's lots, in the order in which they came, and what is owed."""

    lots: list[Lot] = field(default_factory=list)
    owed: int = 0
    held: dict[int, tuple[int, datetime]] = field(default_factory=dict)

    @property
    def balance(self) -> int:
        return sum(lot.left for lot in self.lots) - self.owed

    def to_spend(self, now: datetime) -> list[Lot]:
        """Those that expire first, then the oldest; sorting keeps the order in which they came."""
        never = datetime.max.replace(tzinfo=now.tzinfo)
        usable = [lot for lot in self.lots if lot.can_be_spent(now)]
        return sorted(usable, key=lambda lot: (lot.expires is None, lot.expires or never, lot.earned))

    def holds(self, now: datetime) -> tuple[int, int, int, int]:
        """Active, pending, held, owed."""
        active = sum(lot.left for lot in self.to_spend(now))
        pending = sum(lot.left for lot in self.lots if lot.available > now and lot.lives(now))
        held = sum(points for points, until in self.held.values() if until > now)
        return active, pending, held, self.owed

    def spendable(self, now: datetime) -> int:
        active, _pending, held, owed = self.holds(now)
        return max(0, active - owed - held)

    def draw(self, lots: list[Lot], points: int) -> list[tuple[Lot, int]]:
        """So many points from these lots, one after the other, as far as they go."""
        drawn = []
        for lot in lots:
            part = min(lot.left, points)
            if part > 0:
                lot.left -= part
                points -= part
                drawn.append((lot, part))
        return drawn

    def pay(self, now: datetime) -> None:
        """What is owed is paid by what can be spent."""
        self.owed -= sum(part for _lot, part in self.draw(self.to_spend(now), self.owed))

    def give(self, lot: Lot, now: datetime) -> None:
        self.lots.append(lot)
        self.pay(now)

    def take_back(self, points: int, order: int, now: datetime, forgives: bool) -> None:
        """The order's own lots first, then the newest that can be spent; the rest is owed or forgiven."""
        living = [lot for lot in self.lots if lot.left > 0 and lot.lives(now)]
        points -= sum(part for _lot, part in self.draw([lot for lot in living if lot.order == order], points))
        newest = [lot for _number, lot in sorted(enumerate(living), key=lambda pair: (pair[1].earned, pair[0]))][::-1]
        points -= sum(part for _lot, part in self.draw([lot for lot in newest if lot.available <= now], points))
        self.owed += 0 if forgives else points

    def give_back(self, drawn: list[tuple[Lot, int]], before: int, points: int, grace: Lot, now: datetime) -> None:
        """The next so many points of what was drawn, the last first, after those that were given back before."""
        upto = 0
        for lot, part in reversed(drawn):
            upto += part
            back = min(upto, before + points) - max(upto - part, before)
            if back > 0 and lot.lives(now) and not lot.is_expired:
                lot.left += back
            elif back > 0:
                grace.points += back
                grace.left += back
        if grace.points:
            self.lots.append(grace)
        self.pay(now)

    def activate(self, now: datetime) -> None:
        due = [lot for lot in self.lots if lot.waits and lot.left > 0 and lot.available <= now]
        for lot in due:
            lot.waits = False
        if due:
            self.pay(now)

    def expire(self, now: datetime) -> int:
        """How many lots had points left when they expired."""
        due = [lot for lot in self.lots if lot.left > 0 and not lot.lives(now)]
        for lot in due:
            lot.left, lot.is_expired = 0, True
        return len(due)
