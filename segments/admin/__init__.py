"""The pages on which staff say who their customers are."""

from . import conditions, memberships, segments

__all__ = ["conditions", "memberships", "segments"]
