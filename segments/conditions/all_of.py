from .base import Condition


class AllOf(Condition):
    """To be written."""
