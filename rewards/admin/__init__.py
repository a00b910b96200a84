"""The pages of the loyalty programme."""

from . import points

__all__ = ["points"]
