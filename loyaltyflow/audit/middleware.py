"""Tells the database who is behind what a request changes."""

from collections.abc import Callable
from typing import Any

import pghistory
from django.conf import settings
from django.http import HttpRequest, HttpResponse


class Audited:
    """Middleware that says with each statement who sent the request, and from where.

    Who has no session is not looked up: the API says by which key a request came, and customers are nobody here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        known: dict[str, Any] = {"path": request.path, "address": address_of(request)}
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.pk:
            known["user"] = request.user.pk
        with pghistory.context(**known):
            return self.get_response(request)


def address_of(request: HttpRequest) -> str:
    """The network address that the request came from; behind our own proxy, the one that the proxy saw."""
    forwarded = request.headers.get("X-Forwarded-For", "") if getattr(settings, "SECURE_PROXY_SSL_HEADER", None) else ""
    return forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")
