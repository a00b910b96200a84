"""The pages of the admin about workflows."""

from .enrolments import EnrolmentAdmin
from .steps import StepAdmin
from .workflows import WorkflowAdmin

__all__ = ["EnrolmentAdmin", "StepAdmin", "WorkflowAdmin"]
