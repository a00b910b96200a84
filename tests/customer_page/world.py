"""A customer with some of everything that the page tells."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db.models import Sum

from loyaltyflow.store import tags
from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Channel, Customer, ExternalId
from messaging.models import Campaign, Engagement, Link, Message
from rewards.models import Account, Discount, Entry, Lot, Redemption, Standing, Tier, Voucher
from segments.conditions.customer_field import CustomerField
from segments.models import Membership, Segment
from tests import factories
from tests.segments.tree import segment
from tests.workflows import flows
from workflows.models import Enrolment, Step, Workflow
from workflows.nodes.wait import Wait


def maria(now: datetime) -> Customer:
    """A member since March 4, 2025, born on November 29, with a card."""
    who = factories.customer(
        first_name="Maria",
        last_name="Oliveira",
        email="maria.oliveira@example.com",
        phone="+19785550142",
        state="MA",
        postal_code="01970",
        birth_month=11,
        birth_day=29,
        birth_year=1984,
        loyalty_joined_at=now.replace(year=2025, month=3, day=4),
    )
    ExternalId.objects.create(customer=who, source="card", external_id="7700 4412 0934")
    return who


def bought(who: Customer, now: datetime, ago: int, net: str = "40.00") -> None:
    """An order of coffee, the points that it earned, which wait for two weeks, and an expiry in a year."""
    at = now - timedelta(days=ago)
    coffee = factories.Product.objects.get_or_create(sku="COFFEE", defaults={"name": "Harbor Roast Coffee 12 oz"})[0]
    order = factories.order(who, at, net, coffee, store_location="Salem")
    points = int(Decimal(net))
    entry = Entry.objects.create(
        customer=who,
        kind=Entry.Kind.EARN,
        points=points,
        occurred_at=at,
        key=f"earn:{order.pk}",
        order=order,
        explanation=f"1 point per $1 on ${net} net = {points}",
    )
    waits = at + timedelta(days=14)
    state = Lot.State.PENDING if waits > now else Lot.State.ACTIVE
    Lot.objects.create(
        entry=entry,
        customer=who,
        points=points,
        remaining=points,
        state=state,
        earned_at=at,
        available_at=waits,
        expires_at=at + timedelta(days=365),
    )
    balance = Entry.objects.filter(customer=who).aggregate(sum=Sum("points"))["sum"]
    Account.objects.update_or_create(customer=who, defaults={"balance": balance})


def in_gold(who: Customer, at: datetime) -> None:
    tier = Tier.objects.get_or_create(name="Gold", defaults={"threshold": 1000})[0]
    Tier.objects.get_or_create(name="Platinum", defaults={"threshold": 2000})
    Standing.objects.create(customer=who, tier=tier, since=at, reason=Standing.Reason.REACHED)


def has_vouchers(who: Customer, now: datetime, number: int = 1) -> None:
    """A voucher that can be used until December 31, and one that was used."""
    off = Discount.objects.get_or_create(name="Club", defaults={"title": "$10.00 off $75.00 or more"})[0]
    until = now.replace(month=12, day=31)
    Voucher.objects.create(code=f"CLB-2XD8-{number}", discount=off, customer=who, assigned_at=now, expires_at=until)
    used = Voucher.objects.create(
        code=f"COF-9RM4-{number}", discount=off, customer=who, assigned_at=now, state=Voucher.State.REDEEMED, uses=1
    )
    order = factories.order(who, now, "80.00")
    Redemption.objects.create(
        discount=off, voucher=used, customer=who, order=order, amount=10, redeemed_at=now, is_single=True
    )


def written_to(who: Customer, at: datetime, visit: int = 1) -> None:
    """A message that was opened and clicked, and one that was not sent."""
    template = flows.template()
    known = {
        "campaign": Campaign.objects.get_or_create(name="News")[0],
        "customer": who,
        "template": template,
        "channel": Channel.EMAIL,
        "category": "marketing",
        "visit": visit,
        "due_at": at,
        "created_at": at,
    }
    sent = Message.objects.create(
        **known, origin="test:1", status=Message.Status.SENT, sent_at=at, subject="Thanksgiving list"
    )
    Message.objects.create(
        **known, origin="test:2", status=Message.Status.BLOCKED, reason=Message.Reason.OPTED_OUT, subject="Big basket"
    )
    fresh = Link.objects.get_or_create(template=template, url="https://shop.example.com/fresh")[0]
    Engagement.objects.create(message=sent, kind=Engagement.Kind.OPEN, at=at + timedelta(minutes=1))
    Engagement.objects.create(message=sent, kind=Engagement.Kind.CLICK, at=at + timedelta(minutes=2), link=fresh)


def locals_only() -> Segment:
    """Who lives in Massachusetts."""
    return Segment.objects.filter(name="Lives near").first() or segment(
        CustomerField.objects.create(value="MA"), "Lives near"
    )


def in_and_out(who: Customer, now: datetime) -> None:
    """One segment that the customer is in, and one that they left."""
    Membership.objects.create(segment=locals_only(), customer=who, joined_at=now - timedelta(days=30))
    left = Segment.objects.get_or_create(name="No produce", defaults={"kind": Segment.Kind.STATIC})[0]
    Membership.objects.create(segment=left, customer=who, joined_at=now - timedelta(days=9), left_at=now)


def in_a_workflow(who: Customer, now: datetime) -> Workflow:
    """A workflow that the customer entered four days ago, and now waits in."""
    flow = flows.workflow(name="Birthday month")
    draft = flow.draft()
    steps = [flows.on_event(draft), flows.email(draft), Wait.objects.create(revision=draft, amount=5), flows.end(draft)]
    live = flows.live(now - timedelta(days=8), *steps)
    start, mail, wait, _end = steps
    walk = flows.stand_at(wait, now - timedelta(days=4), who)[0]
    Enrolment.objects.filter(pk=walk.pk).update(due_at=now + timedelta(days=1))
    for step in (start, mail):
        Step.objects.create(enrolment=walk, node=step, arrived_at=walk.entered_at, left_at=walk.entered_at)
    return live


def tagged(who: Customer, at: datetime, by: User, name: str = "coffee club") -> None:
    tags.add(Customer.objects.filter(pk=who.pk), name, at, "admin", by)


def edited(who: Customer, by: User) -> None:
    kind = LogEntry.objects.model._meta.get_field("content_type").related_model.objects.get_for_model(Customer)
    message = '[{"changed": {"fields": ["Postal code"]}}]'
    LogEntry.objects.create(
        user=by, content_type=kind, object_id=str(who.pk), object_repr="x", action_flag=CHANGE, change_message=message
    )


def answered(who: Customer, at: datetime, number: int = 1) -> None:
    happened("survey_answered", who.pk, at, f"survey:{who.pk}:{number}", survey="How was your shop?", score=9)


def everything(now: datetime, by: User) -> Customer:
    """Some of everything."""
    who = maria(now)
    for ago in (0, 7, 14, 21):
        bought(who, now, ago)
    in_gold(who, now - timedelta(days=100))
    has_vouchers(who, now)
    written_to(who, now - timedelta(days=2))
    in_and_out(who, now)
    in_a_workflow(who, now)
    tagged(who, now - timedelta(days=50), by)
    factories.consent(who, now - timedelta(days=60))
    factories.consent(who, now - timedelta(days=55), "opted_out", Channel.SMS)
    edited(who, by)
    answered(who, now - timedelta(days=22))
    return who


def more(who: Customer, now: datetime, by: User, times: int) -> None:
    """So many times as much of all that there can be more of."""
    for number in range(2, times + 2):
        at = now - timedelta(days=30 + number)
        bought(who, now, 30 + number)
        has_vouchers(who, at, number)
        written_to(who, at, number)
        in_and_out_again(who, at)
        tagged(who, at, by, f"tag {number}")
        factories.consent(who, at)
        edited(who, by)
        answered(who, at, number)


def in_and_out_again(who: Customer, at: datetime) -> None:
    Membership.objects.create(segment=locals_only(), customer=who, joined_at=at, left_at=at + timedelta(hours=1))
