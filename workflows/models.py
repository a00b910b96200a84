"""When: the graph that staff draw, and the customers who walk through it."""

from .conditions import BoughtSince, GotMessage
from .enrolments import Enrolment, Step
from .graph import Edge, Revision, Workflow
from .nodes import Node
from .uses import workflows_naming

__all__ = ["BoughtSince", "Edge", "Enrolment", "GotMessage", "Node", "Revision", "Step", "Workflow", "workflows_naming"]
