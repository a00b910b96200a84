"""CSV that people open in a spreadsheet."""

import csv
import io
import re
from collections.abc import Iterable

# What some spreadsheet takes for the beginning of a formula, also in full width; a phone number is none.
FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠](?![\d ().-]+\Z)")


def harmless(cell: str) -> str:
    """The cell as a spreadsheet shows it: with a ' before what it would take for a formula."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def line(cells: Iterable[str]) -> str:
    """One line of a CSV file, with its end, in which no cell is a formula."""
    made = io.StringIO()
    csv.writer(made).writerow(map(harmless, cells))
    return made.getvalue()
