from .base import Condition


class NoneOf(Condition):
    """To be written."""
