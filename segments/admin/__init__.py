"""The pages on which staff say who their customers are."""

from . import memberships, segments

__all__ = ["memberships", "segments"]
