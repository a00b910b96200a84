"""The segment's own page: how many are in it, who, since when and why."""

from django.urls import URLPattern
from unfold.admin import ModelAdmin


def paths(segments: ModelAdmin) -> list[URLPattern]:
    """What stands at addresses of its own."""
    return []
