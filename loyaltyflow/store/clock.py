"""The store's clock and ways of writing, for the time of one request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from .settings import StoreSettings

_current: ContextVar[StoreSettings | None] = ContextVar("store", default=None)
_present: ContextVar[datetime | None] = ContextVar("present", default=None)


def store() -> StoreSettings:
    """The store's settings, read once for each request; outside of one they are read each time."""
    return _current.get() or StoreSettings.load()


@contextmanager
def store_read_once() -> Iterator[StoreSettings]:
    """The store's settings, which are read no more within the block, also outside of a request."""
    settings = store()
    before = _current.set(settings)
    try:
        yield settings
    finally:
        _current.reset(before)


def present() -> datetime:
    """The moment at which what is written is read: now, unless it is written as of another one."""
    return _present.get() or timezone.now()


@contextmanager
def written_as_of(moment: datetime) -> Iterator[None]:
    """What is written in the block is written as of the moment: days of other years than its own with their year."""
    before = _present.set(moment)
    try:
        yield
    finally:
        _present.reset(before)


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
