"""What the demo store's staff have set up: its name, its segments, its e-mails, its two workflows."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.db import transaction

from loyaltyflow.store.models import StoreSettings
from messaging.emails import Category
from messaging.models import EmailTemplate
from messaging.starters import starter
from rewards.models import Multiplier, NoticeProgress, Programme, Tier
from rewards.rules.points_per_spend import PointsPerSpend
from segments import refresh
from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.exchange.documents import read
from segments.exchange.importing import take_in
from segments.models import Segment
from workflows.conditions import BoughtSince, GotMessage
from workflows.models import Revision, Workflow
from workflows.nodes.award_points import AwardPoints
from workflows.nodes.end import End
from workflows.nodes.if_ import If
from workflows.nodes.on_segment_entered import OnSegmentEntered
from workflows.nodes.send_email import SendEmail
from workflows.nodes.wait import Wait

from . import offers, staff

NOTICES_AFTER = timedelta(days=87)  # of the 90 days that the demo store looks back on
EXPIRY_MONTHS = 10  # so that the year has points that expired
SEGMENTS = Path(__file__).with_name("segments")


def name_the_store(store: StoreSettings) -> None:
    """Give the store its name and place, and mark it as the demo."""
    store.name = "Harbor Street Market"
    store.postal_address = "12 Harbor Street, Salem, MA 01970"
    store.sender_email = "hello@harborstreet.example"
    store.state = "MA"
    store.return_window_days = 14
    store.is_demo = True
    store.save()


@transaction.atomic
def set_up(now: datetime) -> None:
    """Make the earning rule, the multiplier, the segments and both workflows, live from `now` on."""
    # Tens of thousands of points notices would drown what the workflows do: the shop began to send them of late.
    NoticeProgress.objects.update_or_create(pk=1, defaults={"since": now + NOTICES_AFTER})
    PointsPerSpend.objects.create(
        name="1 point per dollar", points_per_unit=Decimal(1), starts_at=now - timedelta(days=365)
    )
    Programme.load()
    Programme.objects.update(expiry=Programme.Expiry.MONTHS, expiry_months=EXPIRY_MONTHS)
    staff.hire()
    tiers()
    offers.make(now)
    Multiplier.objects.create(name="Double points on coffee", factor=2, categories=["Coffee"])
    win_back(now)
    new_member_boost(now)


def tiers() -> list[Tier]:
    """Three tiers, by the points earned in the past twelve months."""
    gets = ["Free delivery", "Sales a day before others"]
    return Tier.objects.bulk_create(
        [
            Tier(name="Bronze", threshold=0, benefits=["1 point for each dollar"]),
            Tier(name="Silver", threshold=500, benefits=gets[:1]),
            Tier(name="Gold", threshold=1500, early_hours=24, benefits=gets),
        ]
    )


def win_back(now: datetime) -> Workflow:
    """Two e-mails to regular customers of the state who stay away for 21 days; a purchase takes them out."""
    segment = _segment("dormant", now)
    workflow = Workflow.objects.create(
        name="Win back after 21 days",
        goal="Bring customers back who have stayed away for three weeks.",
        reentry=Workflow.Reentry.AFTER_DAYS,
        reentry_days=180,
    )
    draft = Revision.objects.create(workflow=workflow)
    start = OnSegmentEntered.objects.create(revision=draft, segment=segment, exit_on_leave=True)
    first = SendEmail.objects.create(revision=draft, template=_email("We miss you", "winback"))
    wait = Wait.objects.create(revision=draft, amount=25, unit=Wait.Unit.DAYS)
    still_away = _group(AllOf(), GotMessage(step=first), BoughtSince(step=first, has_bought=False))
    check = If.objects.create(revision=draft, condition=still_away)
    second = SendEmail.objects.create(revision=draft, template=_email("It has been a while", "winback_second"))
    told = End.objects.create(revision=draft, outcome="Both e-mails sent")
    back = End.objects.create(revision=draft, outcome="Came back, or was not reached")
    start.leads_to(first).leads_to(wait).leads_to(check)
    check.leads_to(second, "yes").leads_to(told)
    check.leads_to(back, "no")
    workflow.publish(now)
    return workflow


def new_member_boost(now: datetime) -> Workflow:
    """100 points for new members who buy, and an e-mail that says so a day later."""
    segment = _segment("new_members", now)
    workflow = Workflow.objects.create(
        name="Welcome, new members", goal="Make new members feel that joining pays.", goal_days=14
    )
    draft = Revision.objects.create(workflow=workflow)
    start = OnSegmentEntered.objects.create(revision=draft, segment=segment, exit_on_leave=False)
    award = AwardPoints.objects.create(revision=draft, points=100, explanation="A thank-you for joining")
    wait = Wait.objects.create(revision=draft, amount=1, unit=Wait.Unit.DAYS)
    notice = SendEmail.objects.create(
        revision=draft, template=_email("Points for you", "points_boost", Category.SERVICE)
    )
    start.leads_to(award).leads_to(wait).leads_to(notice).leads_to(End.objects.create(revision=draft))
    workflow.publish(now)
    return workflow


def _segment(file: str, now: datetime) -> Segment:
    """The segment that the file in the folder beside this one describes, active."""
    [change] = take_in(read((SEGMENTS / f"{file}.yaml").read_bytes()), None, now)
    refresh.activate(Segment.objects.filter(pk=change.segment.pk), now)
    return change.segment


def _group(group: Condition, *parts: Condition) -> Condition:
    """The group, saved with the parts inside it."""
    group.save()
    for position, part in enumerate(parts):
        part.parent, part.position = group, position
        part.save()
    return group


def _email(name: str, key: str, category: str = Category.MARKETING) -> EmailTemplate:
    return EmailTemplate.objects.create(name=name, category=category, **starter(key))
