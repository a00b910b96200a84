"""Addresses of further pages about one segment, each for those who may open it."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from ..models import Segment

Page = Callable[..., HttpResponseBase]  # of the admin, the request, the segment and what the address says besides


def page_of(segments: ModelAdmin, address: str, page: Page, name: str, may: str = "view") -> URLPattern:
    """The path `segments/segment/<pk>/<address>`, called admin:segments_segment_<name>.

    `page(segments, request, segment)` answers those who may view, change or delete the segment, as `may` says.
    """

    def answer(request: HttpRequest, pk: int, **more: Any) -> HttpResponseBase:
        if not getattr(segments, f"has_{may}_permission")(request):
            raise PermissionDenied
        return page(segments, request, get_object_or_404(Segment, pk=pk), **more)

    return path(f"<int:pk>/{address}", segments.admin_site.admin_view(answer), name=f"segments_segment_{name}")
