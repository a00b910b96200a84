"""The pages of the admin about workflows."""

from .conditions import StepConditionAdmin
from .enrolments import EnrolmentAdmin
from .steps import StepAdmin
from .workflows import WorkflowAdmin

__all__ = ["EnrolmentAdmin", "StepAdmin", "StepConditionAdmin", "WorkflowAdmin"]
