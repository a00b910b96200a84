"""Workflows, as short as a case needs them."""

from datetime import datetime
from itertools import count
from typing import Any

from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Customer, EventType
from messaging.models import EmailTemplate
from segments.models import Membership, Segment
from workflows.models import Enrolment, Node, Revision, Workflow
from workflows.nodes.end import End
from workflows.nodes.on_event import OnEvent
from workflows.nodes.on_segment_entered import OnSegmentEntered
from workflows.nodes.send_email import SendEmail

_numbers = count(1)


def workflow(**fields: Any) -> Workflow:
    return Workflow.objects.create(**{"name": f"Workflow {next(_numbers)}", "goal": "They buy again", **fields})


def on_event(draft: Revision, name: str = "loyalty_joined") -> OnEvent:
    event_type = EventType.objects.get_or_create(name=name, defaults={"label": name.replace("_", " ").capitalize()})[0]
    return OnEvent.objects.create(revision=draft, event_type=event_type)


def on_segment(draft: Revision, segment: Segment, **fields: Any) -> OnSegmentEntered:
    return OnSegmentEntered.objects.create(revision=draft, segment=segment, **fields)


def template(name: str = "Hello") -> EmailTemplate:
    body = "<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section></mj-body></mjml>"
    return EmailTemplate.objects.get_or_create(name=name, defaults={"subject": "Hello", "body": body})[0]


def email(draft: Revision, name: str = "Hello") -> SendEmail:
    return SendEmail.objects.create(revision=draft, template=template(name))


def end(draft: Revision, outcome: str = "Completed") -> End:
    return End.objects.create(revision=draft, outcome=outcome)


def chain(*nodes: Node) -> None:
    """Connect each node's first outlet to the node after it."""
    for source, target in zip(nodes, nodes[1:], strict=False):
        source.leads_to(target, source.outlets[0])


def live(at: datetime, *nodes: Node) -> Workflow:
    """The workflow of the nodes, connected in a row and published."""
    chain(*nodes)
    nodes[0].revision.workflow.publish(at)
    return Workflow.objects.get(pk=nodes[0].revision.workflow_id)


def join(who: Customer, at: datetime) -> None:
    """The event that the customer joined the loyalty programme."""
    happened("loyalty_joined", who.pk, at, f"loyalty_joined:{who.pk}:{at.isoformat()}")


def enter(who: Customer, segment: Segment, at: datetime) -> None:
    """The customer is in the segment from then on, with the event."""
    Membership.objects.create(customer=who, segment=segment, joined_at=at)
    happened("segment_entered", who.pk, at, f"segment_entered:{segment.pk}:{who.pk}:{at}", segment=segment.pk)


def leave(who: Customer, segment: Segment, at: datetime) -> None:
    """The customer is out of the segment from then on, with the event."""
    Membership.objects.open().filter(customer=who, segment=segment).update(left_at=at)
    happened("segment_left", who.pk, at, f"segment_left:{segment.pk}:{who.pk}:{at}", segment=segment.pk)


def stand_at(node: Node, now: datetime, *customers: Customer) -> list[Enrolment]:
    """Active enrolments of the customers that are due at the node."""
    moments = {"entered_at": now, "arrived_at": now, "due_at": now}
    flow = node.revision.workflow
    return [
        Enrolment.objects.create(workflow=flow, revision=node.revision, customer=each, node=node, **moments)
        for each in customers
    ]
