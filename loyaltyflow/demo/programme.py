"""What the demo store's staff have set up: its name, its segments, its e-mails, its two workflows."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from loyaltyflow.store.models import StoreSettings
from messaging.emails import Category
from messaging.models import EmailTemplate
from messaging.starters import starter
from rewards.models import EarningRule
from segments import refresh
from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.joined_loyalty import JoinedLoyalty
from segments.conditions.made_purchase import Count, MadePurchase
from segments.models import Segment
from workflows.conditions import BoughtSince, GotMessage
from workflows.models import Revision, Workflow
from workflows.nodes.award_points import AwardPoints
from workflows.nodes.end import End
from workflows.nodes.if_ import If
from workflows.nodes.on_segment_entered import OnSegmentEntered
from workflows.nodes.send_email import SendEmail
from workflows.nodes.wait import Wait


def name_the_store(store: StoreSettings) -> None:
    """Give the store its name and place, and mark it as the demo."""
    store.name = "Harbor Street Market"
    store.postal_address = "12 Harbor Street, Salem, MA 01970"
    store.sender_email = "hello@harborstreet.example"
    store.state = "MA"
    store.is_demo = True
    store.save()


@transaction.atomic
def set_up(now: datetime) -> None:
    """Make the earning rule, the segments and both workflows, live from `now` on."""
    EarningRule.objects.create(
        name="1 point per dollar", points_per_unit=Decimal(1), starts_at=now - timedelta(days=365)
    )
    win_back(now)
    new_member_boost(now)


def win_back(now: datetime) -> Workflow:
    """Two e-mails to regular customers of the state who stay away for 21 days; a purchase takes them out."""
    segment = _segment(
        "Dormant 21 days, Massachusetts",
        "Customers of our state who have bought before, but not in the past 21 days.",
        MadePurchase(operator=Count.AT_LEAST, count=1),
        MadePurchase(operator=Count.NONE, window_days=21),
        CustomerField(field="state", operator=CustomerField.Operator.IS, value="MA"),
    )
    refresh.build(segment, now)
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
    segment = _segment(
        "New members who bought",
        "Joined the programme in the past 30 days and bought in the past 3.",
        JoinedLoyalty(window_days=30),
        MadePurchase(operator=Count.AT_LEAST, count=1, window_days=3),
    )
    refresh.build(segment, now)
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


def _segment(name: str, description: str, *parts: Condition) -> Segment:
    return Segment.objects.create(name=name, description=description, root=_group(AllOf(), *parts), is_active=True)


def _group(group: Condition, *parts: Condition) -> Condition:
    """The group, saved with the parts inside it."""
    group.save()
    for position, part in enumerate(parts):
        part.parent, part.position = group, position
        part.save()
    return group


def _email(name: str, key: str, category: str = Category.MARKETING) -> EmailTemplate:
    return EmailTemplate.objects.create(name=name, category=category, **starter(key))
