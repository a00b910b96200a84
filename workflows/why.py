"""Why a customer is in a workflow, was in it, or never was."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString

from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import day
from loyaltyflow.words import drawn, strong
from segments.conditions.base import Explanation

from .enrolments import Enrolment
from .graph import Workflow
from .nodes.base import load_references


@dataclass(frozen=True)
class Answer:
    """Whether the customer is in the workflow or was, in words, and each thing that it took to enter."""

    is_in: bool
    verdict: str
    asked: SafeString
    reasons: list[Explanation]


def explained(workflow: Workflow, customer: Customer, now: datetime) -> Answer:
    """What the workflow asks of those who enter, each with what was seen of the customer at `now`."""
    walks = list(workflow.enrolments.filter(customer=customer).order_by("-entered_at", "-pk"))
    is_in = any(each.status == Enrolment.Status.ACTIVE for each in walks)
    reasons = [_is_live(workflow)]
    asked = drawn("It has never been live.")
    revision = workflow.live
    if revision is not None and revision.published_at:
        nodes = revision.steps()
        load_references(nodes.values())
        trigger = next(each for each in nodes.values() if each.is_trigger)
        asked = drawn(f"It starts: {strong(str(trigger))}.")
        reasons.append(trigger.explained(customer, revision.published_at, now))
    return Answer(is_in, _verdict(walks), asked, [*reasons, _may_enter(workflow, walks, now)])


def _verdict(walks: list[Enrolment]) -> str:
    """How often and when the customer was in it."""
    if not walks:
        return "was never in this workflow"
    last = walks[0]
    if last.status == Enrolment.Status.ACTIVE:
        return f"is in this workflow since {day(last.entered_at)}"
    times = "" if len(walks) == 1 else f" {len(walks)} times"
    return f"was in this workflow{times}, last from {day(last.entered_at)} until {day(last.ended_at)}"


def _is_live(workflow: Workflow) -> Explanation:
    holds = workflow.status == Workflow.Status.LIVE
    return Explanation(drawn("Takes new customers"), holds, f"it is {workflow.get_status_display().lower()}")


def _may_enter(workflow: Workflow, walks: list[Enrolment], now: datetime) -> Explanation:
    in_the_way = workflow.enrolments.filter(workflow.keeps_out(now), customer=walks[0].customer_id) if walks else None
    sentence = drawn(f"May enter now: {strong(workflow.get_reentry_display().lower())}")
    seen = f"entered last on {day(walks[0].entered_at)}" if walks else "never entered"
    return Explanation(sentence, in_the_way is None or not in_the_way.exists(), seen)
