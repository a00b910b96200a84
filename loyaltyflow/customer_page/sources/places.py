from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from loyaltyflow.store.models import Customer
from segments.models import Membership
from workflows.models import Enrolment

from .base import Source, Told, link


class EnteredSegment(Source):
    """The beginning of a stay in a segment."""

    group, permission, at = "segments", "segments.view_segment", "joined_at"
    verb = "Entered"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Membership.objects.filter(customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        stays = Membership.objects.filter(pk__any=numbers).select_related("segment")
        return {
            each.pk: Told(
                "filter_alt",
                f"{self.verb} segment “{each.segment}”",
                each.segment.description.partition("\n")[0],
                link=link(each.segment),
            )
            for each in stays
        }


class LeftSegment(EnteredSegment):
    """The end of a stay in a segment."""

    at = "left_at"
    verb = "Left"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Membership.objects.filter(customer=customer, left_at__isnull=False)


class EnteredWorkflow(Source):
    """The beginning of a walk through a workflow."""

    group, permission, at = "workflows", "workflows.view_enrolment", "entered_at"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Enrolment.objects.filter(customer=customer)

    def tell(self, numbers: Collection[int], now: datetime) -> dict[int, Told]:
        found = Enrolment.objects.filter(pk__any=numbers).select_related("workflow", "revision")
        return {each.pk: self.told(each) for each in found}

    def told(self, enrolment: Enrolment) -> Told:
        """The line for one of them."""
        what = f"Entered workflow “{enrolment.workflow}”"
        return Told("account_tree", what, f"Revision {enrolment.revision.number}", link=link(enrolment))


class LeftWorkflow(EnteredWorkflow):
    """The end of a walk through a workflow."""

    at = "ended_at"

    def rows(self, customer: Customer) -> QuerySet[Any]:
        return Enrolment.objects.filter(customer=customer, ended_at__isnull=False)

    def told(self, enrolment: Enrolment) -> Told:
        """The line for one of them."""
        verb = "Finished" if enrolment.status == Enrolment.Status.COMPLETED else "Left"
        return Told("account_tree", f"{verb} workflow “{enrolment.workflow}”", enrolment.outcome, link=link(enrolment))
