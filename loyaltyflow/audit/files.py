"""Files that staff take out of the house."""

from collections.abc import Iterable

from django.http import StreamingHttpResponse
from django.utils.text import slugify

from .telling import exported


def csv_file(lines: Iterable[str], name: str, *, label: str, what: str, rows: int) -> StreamingHttpResponse:
    """The lines as a CSV file of that name, sent while they are read.

    That so many rows of the model left the house, and as what, is in the audit before the first of them does.
    """
    exported(label, what, rows)
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{slugify(name) or "rows"}.csv"'
    return answer
