from .base import Condition


class AnyOf(Condition):
    """To be written."""
