"""The store's clock and ways of writing, for the time of one request."""

from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from .settings import StoreSettings

_current: ContextVar[StoreSettings | None] = ContextVar("store", default=None)


def store() -> StoreSettings:
    """The store's settings, read once for each request; outside of one they are read each time."""
    return _current.get() or StoreSettings.load()


class StoreClock:
    """Middleware that makes the store's time zone the one in which pages show and read times."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        settings = StoreSettings.load()
        before = _current.set(settings)
        try:
            with timezone.override(settings.zone):
                return self.get_response(request)
        finally:
            _current.reset(before)
