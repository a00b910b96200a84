"""When: the graph that staff draw, and the customers who walk through it."""

from .conditions import BoughtSince, GotMessage, InWorkflow, VisitedPageSince, VoucherUnused
from .enrolments import Enrolment, Step
from .graph import Edge, Revision, Workflow
from .nodes import Node
from .uses import workflows_naming

__all__ = [
    "BoughtSince",
    "Edge",
    "Enrolment",
    "GotMessage",
    "InWorkflow",
    "Node",
    "Revision",
    "Step",
    "VisitedPageSince",
    "VoucherUnused",
    "Workflow",
    "workflows_naming",
]
