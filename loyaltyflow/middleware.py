"""What is done with every request before anybody reads it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

NULL = "%00"  # the one sign that no text in PostgreSQL can hold, as an address writes it


class WithoutNull:
    """Middleware that takes null characters out of what an address asks for.

    No row has one, and a search, a filter or a form that begins with one would end in an error of the database.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = request.META.get("QUERY_STRING", "")
        if NULL in asked or "\0" in asked:
            request.META["QUERY_STRING"] = asked.replace(NULL, "").replace("\0", "")
        return self.get_response(request)
