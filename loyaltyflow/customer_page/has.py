"""What the customer has now: points, tier, vouchers, running workflows, segments, and the products they buy most."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncDate

from analytics.links import page_of, rows_of
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer, Order, OrderLine
from rewards import ledger
from rewards.models import Entry, Lot, Voucher
from segments.models import Membership, Segment
from workflows.models import Enrolment, Step, Workflow
from workflows.nodes import Node
from workflows.nodes.base import load_references

LOTS = 8  # days of expiry that are shown each; what expires later is one line
LISTED = 8
OFFERED = 12  # segments to put the customer into; there may be hundreds, each with a page for that
EXPIRING_DAYS = 30
MICROSECOND = timedelta(microseconds=1)  # points that expire at a midnight can be spent until the day before it
MOVING = {Workflow.Status.LIVE, Workflow.Status.FINISHING}
PATH = 6  # steps of a path that are named, the last ones


@dataclass(frozen=True)
class Lots:
    """So many points that can be spent until the end of one day."""

    until: date | None
    points: int
    worth: Decimal


@dataclass(frozen=True)
class Points:
    """What a customer can spend, what waits, what expires soon, what is held at a till, and what is owed."""

    account: ledger.Points
    lots: list[Lots]
    pending: list[tuple[date, int]]
    worth: Decimal
    value: Decimal  # of one point

    @property
    def less(self) -> list[tuple[str, int, Decimal]]:
        """What of the lots cannot be spent: why, how many points, and their worth."""
        kept = [("Held at a till", self.account.held), ("Owed", self.account.owed)]
        return [(why, number, number * self.value) for why, number in kept if number]

    @property
    def listed(self) -> list[Lots]:
        """The days that are shown one by one."""
        return self.lots[:LOTS]

    @property
    def later(self) -> Lots | None:
        """Points that expire after the days that are shown, or never."""
        rest = self.lots[LOTS:]
        if not rest:
            return None
        return Lots(None, sum(each.points for each in rest), sum((each.worth for each in rest), Decimal(0)))

    def expiring(self, now: datetime) -> Lots | None:
        """What expires first, if that is soon."""
        first = next((each for each in self.lots if each.until), None)
        return first if first and first.until and (first.until - now.date()).days < EXPIRING_DAYS else None


def points(customer: Customer, now: datetime) -> Points:
    """The customer's points by the last day to spend them; as many statements however many lots there are."""
    zone, one = store().zone, store().point_value
    account = ledger.spendable([customer.pk], now)[customer.pk]
    lots = Lot.objects.filter(customer=customer)
    usable = lots.filter(pk__in=lots.to_spend(now).order_by().values("pk")).order_by()
    days = usable.values(day=TruncDate(F("expires_at") - MICROSECOND, tzinfo=zone)).annotate(points=Sum("remaining"))
    waiting = lots.pending(now).order_by().values(day=TruncDate("available_at", tzinfo=zone))
    return Points(
        account,
        [
            Lots(each["day"], each["points"], each["points"] * one)
            for each in days.order_by(F("day").asc(nulls_last=True))
        ],
        [(each["day"], each["points"]) for each in waiting.annotate(points=Sum("remaining")).order_by("day")],
        account.spendable * one,
        one,
    )


def vouchers(customer: Customer, now: datetime) -> dict[str, Any]:
    """Those that can be used, the ones that end first before others, and how many there were of the rest."""
    rows = Voucher.objects.filter(customer=customer)
    in_time = Q(state=Voucher.State.ISSUED) & (Q(expires_at=None) | Q(expires_at__gt=now))
    sums = rows.aggregate(
        held=Count("pk", filter=in_time),
        used=Count("pk", filter=Q(state=Voucher.State.REDEEMED)),
        gone=Count("pk", filter=~in_time & ~Q(state=Voucher.State.REDEEMED)),
    )
    held = rows.filter(in_time).select_related("discount").order_by(F("expires_at").asc(nulls_last=True), "pk")
    return {
        "held": list(held[:LISTED]),
        "counts": sums,
        "link": rows_of(Voucher, customer__id__exact=customer.pk),
        "words": ", ".join(
            [f"{sums['held']} held", *(f"{sums[name]} {name}" for name in ("used", "gone") if sums[name])]
        ),
    }


def workflows(customer: Customer, now: datetime) -> dict[str, Any]:
    """The workflows that the customer is in, each with its next step, when that is due, and the steps taken."""
    rows = Enrolment.objects.filter(customer=customer)
    running = list(rows.active().select_related("workflow").order_by("due_at", "pk")[:LISTED])
    visits = list(Step.objects.filter(enrolment__any=[each.pk for each in running]).order_by("left_at", "pk"))
    nodes = Node.objects.in_bulk({each.node_id for each in running} | {each.node_id for each in visits})
    load_references(nodes.values())
    paths: dict[int, list[str]] = {}
    for visit in visits:
        paths.setdefault(visit.enrolment_id, []).append(nodes[visit.node_id].label)
    return {
        "running": [
            {
                "row": each,
                "at": nodes[each.node_id].label,
                "path": paths.get(each.pk, [])[-PATH:],
                "waits_for": "" if each.workflow.status in MOVING else each.workflow.get_status_display(),
                "link": page_of(Enrolment, each.pk),
            }
            for each in running
        ],
        "number": rows.active().count(),
        "link": rows_of(Enrolment, customer__id__exact=customer.pk),
    }


def products(customer: Customer, now: datetime) -> list[dict[str, Any]]:
    """What the customer bought in most orders, with how much was paid for it."""
    lines = OrderLine.objects.filter(Order.purchase_q(now, "order__"), order__customer=customer)
    sums = lines.values("product", "product__name").annotate(orders=Count("order", distinct=True), spent=Sum("net"))
    return [dict(each) for each in sums.order_by("-orders", "-spent", "product")[:5]]


def segments(customer: Customer, user: Any) -> dict[str, Any]:
    """The segments that the customer is in and since when, and those that they can be put into by hand."""
    stays = Membership.objects.open().filter(customer=customer).select_related("segment")
    others = Segment.objects.by_hand().exclude(memberships__in=stays)
    return {
        "stays": stays.filter(segment__archived_at=None).order_by("-joined_at", "-pk"),
        "other_segments": others.order_by("name")[:OFFERED],
        "may_fill": user.has_perm("segments.change_segment"),
    }


def ledger_of(customer: Customer) -> str:
    """The address of the customer's movements of points."""
    return rows_of(Entry, customer__id__exact=customer.pk)
